// The item in the language status menu: redrawn whenever something that it shows has changed.

import * as vscode from 'vscode';

import { LANGUAGES } from './languages';
import type { Pauses } from './pause';
import { statusDetail, statusText, type State } from './status';

const REDRAWN_MS = 30_000; // an hour's pause counts down, and ends by itself

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.languages.createLanguageStatusItem(
    'lancefill',
    LANGUAGES.map((language) => ({ language })),
  );
  private readonly owned: { dispose(): unknown }[];
  private known: State = {
    status: { kind: 'Inactive', busy: false, message: 'not started' },
    device: '',
  };

  constructor(private readonly pauses: Pauses) {
    this.item.name = 'Lancefill';
    this.item.command = { command: 'lancefill.showStatus', title: 'Show Status' };
    const timer = setInterval(() => {
      this.draw();
    }, REDRAWN_MS);
    this.owned = [
      this.item,
      vscode.window.onDidChangeActiveTextEditor(() => {
        this.draw();
      }),
      {
        dispose: () => {
          clearInterval(timer);
        },
      },
    ];
  }

  get state(): State {
    const uri = vscode.window.activeTextEditor?.document.uri.toString();
    const device = vscode.workspace.getConfiguration('lancefill').get('device', 'auto');
    return { ...this.known, device, paused: this.pauses.of(uri) };
  }

  update(change: Partial<State>): void {
    this.known = { ...this.known, ...change };
    this.draw();
  }

  draw(): void {
    const state = this.state;
    this.item.text = statusText(state);
    this.item.detail = statusDetail(state);
    this.item.busy = state.status.busy && state.paused === undefined;
    this.item.severity = severity(state);
  }

  dispose(): void {
    vscode.Disposable.from(...this.owned).dispose();
  }
}

function severity({ status, paused }: State): vscode.LanguageStatusSeverity {
  if (paused !== undefined) {
    return vscode.LanguageStatusSeverity.Information;
  }
  const { Error, Warning, Information } = vscode.LanguageStatusSeverity;
  return { Error, Warning, Normal: Information, Inactive: Information }[status.kind];
}
