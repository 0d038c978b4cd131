// The editor's side: starts the language server, restarts it, shows its status. Nothing else.

import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

import * as vscode from 'vscode';
import {
  ErrorAction,
  LanguageClient,
  TransportKind,
  type ErrorHandler,
  type LanguageClientOptions,
} from 'vscode-languageclient/node';

import {
  coalesced,
  logEntry,
  reasonText,
  serverCommand,
  statusText,
  type Reason,
  type ServerStatus,
} from './server';

let client: LanguageClient | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel('Lancefill', { log: true });
  const status = statusItem();
  const restart = coalesced(async () => {
    await stop();
    await start(log, status);
  });
  context.subscriptions.push(
    log,
    status,
    vscode.commands.registerCommand('lancefill.restart', restart),
    vscode.commands.registerCommand('lancefill.showLog', () => {
      log.show(true);
    }),
    vscode.workspace.onDidChangeConfiguration(async (event) => {
      if (event.affectsConfiguration('lancefill.path')) {
        await restart();
      }
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(restart),
  );
  await restart();
}

export async function deactivate(): Promise<void> {
  await stop();
}

async function start(
  log: vscode.LogOutputChannel,
  status: vscode.LanguageStatusItem,
): Promise<void> {
  const path = vscode.workspace.getConfiguration('lancefill').get<string>('path', '');
  const { command, args, env } = serverCommand(path, process.env);
  log.info(`starting ${command} ${args.join(' ')}`);
  const started: LanguageClient = new LanguageClient(
    'lancefill',
    'Lancefill',
    { command, args: [...args], options: { env }, transport: TransportKind.stdio },
    clientOptions(log, () => started),
  );
  client = started;
  client.onNotification('didChangeStatus', (value: ServerStatus) => {
    show(status, value);
  });
  client.onNotification('lancefill/reason', (reason: Reason) => {
    const text = reasonText(reason);
    if (text !== undefined) {
      status.detail = text;
    }
  });
  try {
    await client.start();
    show(status, { kind: 'Normal', busy: false, message: 'running' });
  } catch (error) {
    const message = `The server could not be started as "${command}": ${String(error)}`;
    show(status, { kind: 'Error', busy: false, message });
    void offerHelp(message, log);
  }
}

async function stop(): Promise<void> {
  const stopping = client;
  client = undefined;
  // One that never came up has nothing to stop, and says so by throwing.
  await stopping?.dispose().catch(() => undefined);
}

const LANGUAGES = [
  'python',
  'java',
  'javascript',
  'javascriptreact',
  'typescript',
  'typescriptreact',
];

function clientOptions(
  log: vscode.LogOutputChannel,
  client: () => LanguageClient,
): LanguageClientOptions {
  return {
    documentSelector: LANGUAGES.flatMap((language) => [
      { language, scheme: 'file' },
      { language, scheme: 'untitled' },
    ]),
    // The settings themselves are pulled by the server.
    initializationOptions: { workspaceTrusted: vscode.workspace.isTrusted },
    outputChannel: log,
    stdioOptions: { stdout: forwardLog, stderr: forwardLog },
    errorHandler: restarting(client),
  };
}

/**
 * The client's own rule for restarts (up to four in three minutes), without its rule for errors: a
 * write that races the server's death arrives as an error, and the default answer to that is to
 * shut down for good.
 */
function restarting(client: () => LanguageClient): ErrorHandler {
  let rule: ErrorHandler | undefined; // one per client: it counts the restarts
  return {
    error: () => ({ action: ErrorAction.Continue }),
    closed: () => (rule ??= client().createDefaultErrorHandler()).closed(),
  };
}

function forwardLog(lines: Readable, log: vscode.LogOutputChannel): void {
  createInterface({ input: lines, crlfDelay: Infinity }).on('line', (line) => {
    const { level, text } = logEntry(line);
    log[level](text);
  });
}

function statusItem(): vscode.LanguageStatusItem {
  const item = vscode.languages.createLanguageStatusItem(
    'lancefill',
    LANGUAGES.map((language) => ({ language })),
  );
  item.name = 'Lancefill';
  item.command = { command: 'lancefill.showLog', title: 'Show Log' };
  return item;
}

function show(item: vscode.LanguageStatusItem, status: ServerStatus): void {
  item.text = statusText(status);
  item.detail = status.message;
  item.busy = status.busy;
  item.severity =
    status.kind === 'Error'
      ? vscode.LanguageStatusSeverity.Error
      : status.kind === 'Warning'
        ? vscode.LanguageStatusSeverity.Warning
        : vscode.LanguageStatusSeverity.Information;
}

async function offerHelp(message: string, log: vscode.LogOutputChannel): Promise<void> {
  const settings = 'Set its path';
  const answer = await vscode.window.showErrorMessage(message, settings, 'Show Log');
  if (answer === settings) {
    await vscode.commands.executeCommand('workbench.action.openSettings', 'lancefill.path');
  } else if (answer !== undefined) {
    log.show();
  }
}
