// The language server as this window runs it: found, started, listened to, stopped.

import { accessSync, constants } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

import * as vscode from 'vscode';
import {
  ErrorAction,
  LanguageClient,
  TransportKind,
  State,
  type ErrorHandler,
  type LanguageClientOptions,
} from 'vscode-languageclient/node';

import { DOCUMENTS } from './languages';
import type { Pauses } from './pause';
import { findServer, logEntry, serverCommand, startProblem, type Found } from './server';
import {
  modelText,
  READY,
  reasonText,
  type Reason,
  type Report,
  type ServerStatus,
} from './status';
import type { StatusItem } from './statusItem';
import { misfit } from './version';
import { Waiting, type Place } from './waiting';

export class Server {
  private client: LanguageClient | undefined;
  private readonly waiting = new Waiting();

  constructor(
    private readonly log: vscode.LogOutputChannel,
    private readonly item: StatusItem,
    private readonly pauses: Pauses,
    private readonly version: string,
    private readonly installed: () => string | undefined,
  ) {}

  /** Where the server's executable is, as things stand now. */
  find(): Found {
    const setting = vscode.workspace.getConfiguration('lancefill').get('path', '');
    const places = { setting, path: process.env.PATH, installed: this.installed() };
    return findServer(places, isRunnable);
  }

  /** Starts the server anew; returns what to tell the person when that fails. */
  async restart(): Promise<string | undefined> {
    await this.stop();
    const found = this.find();
    return 'problem' in found ? this.failed(found.problem) : await this.start(found.command);
  }

  private async start(executable: string): Promise<string | undefined> {
    const { command, args, env } = serverCommand(executable, process.env);
    this.log.info(`starting ${command} ${args.join(' ')}`);
    const said: string[] = [];
    const started: LanguageClient = new LanguageClient(
      'lancefill',
      'Lancefill',
      { command, args: [...args], options: { env }, transport: TransportKind.stdio },
      clientOptions(this.log, this.pauses, said, () => started),
    );
    this.client = started;
    this.listen(started);
    try {
      await started.start();
    } catch (error) {
      return this.failed(startProblem(command, String(error), said));
    }
    const message = misfit(this.version, started.initializeResult?.serverInfo?.version);
    if (message !== undefined) {
      this.log.warn(message);
      void vscode.window.showWarningMessage(message);
    }
    return undefined;
  }

  async stop(): Promise<void> {
    const stopping = this.client;
    this.client = undefined;
    this.item.update({ model: undefined, silence: undefined });
    // One that never came up has nothing to stop, and says so by throwing.
    await stopping?.dispose().catch(() => undefined);
  }

  /** The answer to a request, or undefined where no server answers; the log says why. */
  async request<T>(method: string, params: unknown): Promise<T | undefined> {
    try {
      return await this.client?.sendRequest<T>(method, params);
    } catch (error) {
      this.log.error(`${method}: ${String(error)}`);
      return undefined;
    }
  }

  private listen(client: LanguageClient): void {
    client.onDidChangeState(({ newState }) => {
      if (newState === State.Stopped && client === this.client) {
        this.failed('The server has stopped; restart it by "Lancefill: Restart Language Server".');
      }
    });
    client.onNotification('didChangeStatus', async (status: ServerStatus) => {
      if (client !== this.client) {
        return; // the last word of one that was stopped
      }
      this.item.update({ status });
      const report = await this.request<Report>('lancefill/status', {});
      if (report !== undefined && client === this.client) {
        this.item.update({ model: modelText(report) });
        if (report.model === READY && this.waiting.again(place())) {
          await vscode.commands.executeCommand('editor.action.inlineSuggest.trigger');
        }
      }
    });
    client.onNotification('lancefill/reason', (reason: Reason) => {
      if (reason.feature === 'ghost') {
        const here = place();
        this.waiting.ended(reason.code, here?.uri === reason.uri ? here : undefined);
      }
      const silence = reasonText(reason);
      if (silence !== undefined) {
        this.item.update({ silence });
      }
    });
  }

  private failed(message: string): string {
    this.log.error(message);
    const status = { kind: 'Error', busy: false, message } as const;
    this.item.update({ status, model: undefined, silence: undefined });
    return message;
  }
}

/** Where the person is typing now, if that is in an editor. */
function place(): Place | undefined {
  const editor = vscode.window.state.focused ? vscode.window.activeTextEditor : undefined;
  return (
    editor && {
      uri: editor.document.uri.toString(),
      version: editor.document.version,
      line: editor.selection.active.line,
      character: editor.selection.active.character,
    }
  );
}

function isRunnable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function clientOptions(
  log: vscode.LogOutputChannel,
  pauses: Pauses,
  said: string[],
  client: () => LanguageClient,
): LanguageClientOptions {
  const paused = (document: vscode.TextDocument): boolean =>
    pauses.of(document.uri.toString()) !== undefined;
  return {
    documentSelector: DOCUMENTS,
    // The settings themselves are pulled by the server.
    initializationOptions: { workspaceTrusted: vscode.workspace.isTrusted },
    outputChannel: log,
    stdioOptions: {
      stdout: forwardLog,
      stderr: (lines, channel) => {
        forwardLog(lines, channel, said);
      },
    },
    errorHandler: restarting(client),
    middleware: {
      provideCompletionItem: (document, position, context, token, next) =>
        paused(document) ? [] : next(document, position, context, token),
      provideInlineCompletionItems: (document, position, context, token, next) =>
        paused(document) ? [] : next(document, position, context, token),
    },
  };
}

const LAST_LINES = 100;

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

/** Shows the server's log; `said` gets its last lines, for a server that does not start. */
function forwardLog(lines: Readable, log: vscode.LogOutputChannel, said: string[] = []): void {
  createInterface({ input: lines, crlfDelay: Infinity }).on('line', (line) => {
    said.push(line);
    said.splice(0, said.length - LAST_LINES);
    const { level, text } = logEntry(line);
    log[level](text);
  });
}
