// Stands between an editor and its language server, and writes down what became of each request.
//
//   node recorder.mjs RECORDING SERVER [ARGUMENT…]
//
// One JSON object per line: `kind` (asked, cancelled, answered, reason, status), `at` (ms since the
// epoch), and what figures.mjs reads. Nothing of the code that is sent is kept.

import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';

const [recording, command, ...args] = process.argv.slice(2);
const FEATURES = {
  'textDocument/completion': 'popup',
  'textDocument/inlineCompletion': 'ghost',
};
const open = new Map(); // the feature of each request without an answer, by its id

function record(entry) {
  const at = performance.timeOrigin + performance.now();
  appendFileSync(recording, `${JSON.stringify({ at, ...entry })}\n`);
}

function fromEditor({ id, method, params }) {
  const feature = FEATURES[method];
  if (feature !== undefined && id !== undefined) {
    open.set(id, feature);
    record({ kind: 'asked', feature, id });
  } else if (method === '$/cancelRequest' && open.has(params.id)) {
    record({ kind: 'cancelled', feature: open.get(params.id), id: params.id });
  }
}

function fromServer({ id, method, params, result, error }) {
  if (method === 'lancefill/reason') {
    record({ kind: 'reason', feature: params.feature, code: params.code });
  } else if (method === 'didChangeStatus') {
    record({ kind: 'status', message: params.message, busy: params.busy });
  } else if (method === undefined && open.has(id)) {
    const items = result?.items ?? [];
    const number = items[0]?.command?.arguments?.[0];
    const feature = open.get(id);
    open.delete(id);
    record({ kind: 'answered', feature, id, items: items.length, number, error: error?.code });
  }
}

/** Hears the messages of a stream of LSP frames, which goes on as it came. */
function hear(from, to, heard) {
  let buffer = Buffer.alloc(0);
  from.on('data', (data) => {
    to.write(data);
    buffer = Buffer.concat([buffer, data]);
    for (;;) {
      const start = buffer.indexOf('\r\n\r\n') + 4;
      const [, length] = /Content-Length: (\d+)/i.exec(buffer.subarray(0, start)) ?? [];
      if (start < 4 || buffer.length < start + Number(length)) {
        return;
      }
      heard(JSON.parse(buffer.subarray(start, start + Number(length))));
      buffer = buffer.subarray(start + Number(length));
    }
  });
  from.on('end', () => to.end());
  to.on('error', () => undefined); // the other side has ended
}

const server = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
hear(process.stdin, server.stdin, fromEditor);
hear(server.stdout, process.stdout, fromServer);
process.on('SIGTERM', () => server.kill());
server.on('close', (code) => process.exit(code ?? 1));
