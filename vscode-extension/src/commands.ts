// What people ask for by name: each command asks the server and shows what it says.

import * as vscode from 'vscode';

import { callSnippet, importEdit, listed, type ApiAnswer } from './ask';
import type { Server } from './client';
import { explanationPage, type Explanation } from './explain';
import { modelItem, readModels } from './models';
import type { Pages } from './pages';
import { HOUR, type Pauses } from './pause';
import { run } from './run';
import { forPython, shellLine, withoutPython } from './server';
import { statusPage, type Report } from './status';
import type { StatusItem } from './statusItem';

const NO_ANSWER = 'The Lancefill server does not answer; its log says more.';

export async function showStatus(server: Server, item: StatusItem, pages: Pages): Promise<void> {
  const report = await server.request<Report>('lancefill/status', {});
  await pages.show('Lancefill Status', statusPage(item.state, report));
}

export async function explain(server: Server, pages: Pages): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  if (editor === undefined) {
    void vscode.window.showInformationMessage('Open a file: its cursor is explained.');
    return;
  }
  const { line, character } = editor.selection.active;
  const answer = await server.request<Explanation>('lancefill/explain', {
    textDocument: { uri: editor.document.uri.toString() },
    position: { line, character },
  });
  if (answer === undefined) {
    void vscode.window.showErrorMessage(NO_ANSWER);
    return;
  }
  await pages.show('Lancefill Explanation', explanationPage(answer, line + 1));
}

export async function ask(server: Server): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  const query = await vscode.window.showInputBox({
    title: 'Ask for an API of this repository',
    placeHolder: 'open a connection and run one query',
  });
  if (query === undefined || query.trim() === '') {
    return;
  }
  const textDocument = editor && { uri: editor.document.uri.toString() };
  const answers = await server.request<ApiAnswer[]>('workspace/executeCommand', {
    command: 'lancefill.ask',
    arguments: [{ query, ...(textDocument && { textDocument }) }],
  });
  if (answers === undefined || answers.length === 0) {
    const message = answers === undefined ? NO_ANSWER : `Nothing here fits "${query}".`;
    void vscode.window.showInformationMessage(message);
    return;
  }
  const items = answers.map((answer) => ({ ...listed(answer), answer }));
  const picked = await vscode.window.showQuickPick(items, {
    title: query,
    placeHolder: 'Insert the call, with its import',
    matchOnDescription: true,
    matchOnDetail: true,
  });
  if (picked !== undefined && editor !== undefined) {
    await insert(editor, picked.answer);
  }
}

/** The call at the cursor and its import, undone as one. */
async function insert(editor: vscode.TextEditor, answer: ApiAnswer): Promise<void> {
  const { document, selection } = editor;
  const eol = document.eol === vscode.EndOfLine.CRLF ? '\r\n' : '\n';
  const imported = importEdit(document.getText(), answer.imported, eol);
  const edits: (vscode.TextEdit | vscode.SnippetTextEdit)[] = [];
  if (imported !== undefined) {
    const place = document.validatePosition(new vscode.Position(imported.line, 0));
    edits.push(vscode.TextEdit.insert(place, imported.text));
  }
  const snippet = new vscode.SnippetString(callSnippet(answer));
  edits.push(vscode.SnippetTextEdit.replace(selection, snippet));
  const change = new vscode.WorkspaceEdit();
  change.set(document.uri, edits);
  await vscode.workspace.applyEdit(change);
}

export function pauseCommands(
  pauses: Pauses,
  item: StatusItem,
): Readonly<Record<string, () => void>> {
  const activeUri = (): string | undefined =>
    vscode.window.activeTextEditor?.document.uri.toString();
  const then = (change: () => void) => (): void => {
    change();
    item.draw();
    void vscode.commands.executeCommand('editor.action.inlineSuggest.hide');
  };
  return {
    'lancefill.pauseFile': then(() => {
      const uri = activeUri();
      if (uri !== undefined) {
        pauses.pauseFile(uri);
      }
    }),
    'lancefill.pauseWorkspace': then(() => {
      pauses.pauseWorkspace();
    }),
    'lancefill.pauseHour': then(() => {
      pauses.pauseFor(HOUR);
    }),
    'lancefill.resume': then(() => {
      pauses.resume(activeUri());
    }),
  };
}

/** Runs the server's command line in a terminal. */
export function inTerminal(server: Server, ...words: string[]): void {
  const executable = found(server);
  if (executable !== undefined) {
    // In a terminal null takes a variable out, and an absent one stays.
    const gone = Object.keys(withoutPython(process.env)).map((variable) => [variable, null]);
    const env = Object.fromEntries(gone) as Record<string, null>;
    const terminal = vscode.window.createTerminal({ name: 'Lancefill', env });
    terminal.show(true);
    terminal.sendText(shellLine([executable, ...words]));
  }
}

/** Lists the installed models and uses the one that is picked; returns whether there is a new one. */
export async function chooseModel(server: Server): Promise<boolean> {
  const executable = found(server);
  if (executable === undefined) {
    return false;
  }
  const { output } = await run(executable, ['model', 'list', '--json'], {
    env: forPython(process.env),
  });
  const models = readModels(output);
  if (models === undefined) {
    void vscode.window.showErrorMessage(`The models could not be listed. ${output}`);
    return false;
  }
  const items = models.map((model) => ({ ...modelItem(model), model }));
  const picked = await vscode.window.showQuickPick(items, {
    title: 'Which model is to write the ghost text?',
    placeHolder: 'Others are added in a terminal: lancefill model add NAME_OR_FOLDER',
    matchOnDetail: true,
  });
  return picked !== undefined && !picked.model.in_use && use(executable, picked.model.name);
}

/** Takes a model into use; the server takes it when it starts again. */
async function use(executable: string, name: string): Promise<boolean> {
  const { status, output } = await run(executable, ['model', 'use', name], {
    env: forPython(process.env),
  });
  if (status !== 0) {
    void vscode.window.showErrorMessage(output);
  }
  return status === 0;
}

/** The server's executable; where there is none the person is told. */
function found(server: Server): string | undefined {
  const place = server.find();
  if ('problem' in place) {
    void vscode.window.showErrorMessage(place.problem);
    return undefined;
  }
  return place.command;
}
