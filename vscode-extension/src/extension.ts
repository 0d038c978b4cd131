// The editor's side: puts the parts together and gives each command its name.

import * as vscode from 'vscode';

import { Server } from './client';
import { ask, chooseModel, explain, inTerminal, pauseCommands, showStatus } from './commands';
import { Installation } from './installation';
import { Pages } from './pages';
import { Pauses } from './pause';
import { coalesced } from './server';
import { StatusItem } from './statusItem';

let server: Server | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel('Lancefill', { log: true });
  const pauses = new Pauses(Date.now);
  const item = new StatusItem(pauses);
  const pages = new Pages();
  const installation = new Installation(context, log);
  const { version } = context.extension.packageJSON as { version: string };
  const started = new Server(log, item, pauses, version, () => installation.executable);
  server = started;
  const restart = coalesced(async () => {
    const problem = await started.restart();
    if (problem !== undefined) {
      void offerHelp(problem);
    }
  });
  const restartingAfter = (changed: () => Promise<boolean>) => async (): Promise<void> => {
    if (await changed()) {
      await restart();
    }
  };
  const commands: Readonly<Record<string, () => unknown>> = {
    ...pauseCommands(pauses, item),
    'lancefill.restart': restart,
    'lancefill.showLog': () => {
      log.show(true);
    },
    'lancefill.showStatus': () => showStatus(started, item, pages),
    'lancefill.explain': () => explain(started, pages),
    'lancefill.askApi': () => ask(started),
    'lancefill.doctor': () => {
      inTerminal(started, 'doctor');
    },
    'lancefill.chooseModel': restartingAfter(() => chooseModel(started)),
    'lancefill.install': restartingAfter(() => installation.install()),
  };
  context.subscriptions.push(
    log,
    item,
    pages,
    ...Object.entries(commands).map(([name, run]) => vscode.commands.registerCommand(name, run)),
    vscode.workspace.onDidChangeConfiguration(async (event) => {
      if (event.affectsConfiguration('lancefill.path')) {
        await restart();
      }
      item.draw();
    }),
    vscode.workspace.onDidGrantWorkspaceTrust(restart),
  );
  await restart();
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}

/** What can be done about a server that does not start, by the command that does it. */
const HELP: Readonly<Record<string, readonly [string, ...string[]]>> = {
  'Install…': ['lancefill.install'],
  'Set its path': ['workbench.action.openSettings', 'lancefill.path'],
  'Show Log': ['lancefill.showLog'],
};

async function offerHelp(problem: string): Promise<void> {
  const answer = await vscode.window.showErrorMessage(problem, ...Object.keys(HELP));
  const [command, ...args] = HELP[answer ?? ''] ?? [];
  if (command !== undefined) {
    await vscode.commands.executeCommand(command, ...args);
  }
}
