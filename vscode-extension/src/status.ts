// What the server says about itself, and how people read it: plain values, no editor in sight.

/** What the server sends as `didChangeStatus`, by the name that Copilot's server gave it. */
export interface ServerStatus {
  readonly kind: 'Normal' | 'Warning' | 'Error' | 'Inactive';
  readonly busy: boolean;
  readonly message: string;
}

/** What the server sends as `lancefill/reason` when a request ends with nothing. */
export interface Reason {
  readonly uri: string;
  readonly feature: 'popup' | 'ghost';
  readonly code: string;
  readonly message: string;
}

/** What the model process says that it runs; empty while it cannot be asked. */
export interface Running {
  readonly model?: string;
  readonly device?: string;
  /** Why it is not the model in use, or not on the device that was asked for; empty: it is. */
  readonly problem?: string;
}

/** The answer to `lancefill/status`. */
export interface Report {
  readonly trusted: boolean;
  readonly problems: readonly string[];
  readonly helpers: readonly string[];
  /** Whether it can be asked: `READY`, or why not. */
  readonly model: string;
  /** Servers of before this field do not tell. */
  readonly running?: Running;
  readonly folders: readonly FolderReport[];
}

export interface FolderReport {
  readonly root: string;
  readonly files: number;
  readonly secrets: number;
  /** 0 where VS Code tells of changes by itself. */
  readonly watched: number;
  readonly ngrams: boolean;
  readonly adapter: string | null;
  readonly interpreter: string;
  readonly foundBy: string;
  readonly progress: {
    readonly phase?: string;
    readonly done?: number;
    readonly total?: number;
    readonly skipped?: number;
  };
}

export const READY = 'ready';

/** All that the status item is drawn from; what is not known yet is undefined. */
export interface State {
  readonly status: ServerStatus;
  /** The setting: the server chooses by it. */
  readonly device: string;
  readonly model?: string | undefined;
  readonly silence?: string | undefined;
  readonly paused?: string | undefined;
}

/** The text of the status item; codicon names in `$(…)` are drawn by VS Code. */
export function statusText({ status, paused }: Pick<State, 'status' | 'paused'>): string {
  if (paused !== undefined) {
    return '$(debug-pause) Lancefill';
  }
  if (status.busy) {
    return '$(sync~spin) Lancefill';
  }
  const icons = {
    Normal: '$(check)',
    Warning: '$(warning)',
    Error: '$(error)',
    Inactive: '$(circle-slash)',
  };
  return `${icons[status.kind]} Lancefill`;
}

/** The line beside the item: the pause or the state, model and device, the last silence. */
export function statusDetail({ status, model, silence, paused }: State): string {
  // Why there is no model is what the server's own message says.
  const running = model === undefined || status.message.includes(model) ? [] : [`model: ${model}`];
  return [paused ?? status.message, ...running, ...(silence === undefined ? [] : [silence])].join(
    ' · ',
  );
}

/** Which model runs, and where; or why none does. */
export function modelText({ model, running }: Pick<Report, 'model' | 'running'>): string {
  const { model: name, device, problem } = running ?? {};
  if (name === undefined || device === undefined) {
    return model;
  }
  return `${name} on ${device}${problem ? ` (${problem})` : ''}`;
}

/** A reason as the status item shows it, or undefined for those that are the way of typing. */
export function reasonText(reason: Reason): string | undefined {
  if (reason.code === 'superseded' || reason.code === 'cancelled') {
    return undefined;
  }
  const feature = { popup: 'No popup', ghost: 'No ghost text' }[reason.feature];
  return `${feature}: ${reason.message}`;
}

/** The page behind "Show Status", as Markdown; without a report the server does not answer. */
export function statusPage(state: State, report?: Report): string {
  const lines = [
    '# Lancefill',
    '',
    `- State: ${plain(state.paused ?? state.status.message)}`,
    `- Last silence: ${plain(state.silence ?? 'none yet')}`,
    ...(report === undefined ? ['- The server does not answer.'] : reportLines(state, report)),
  ];
  return lines.join('\n') + '\n';
}

function reportLines(state: State, report: Report): string[] {
  const restricted = 'no: the project’s own Python is not run';
  return [
    `- Model: ${plain(modelText(report))}`,
    `- Device (setting): ${plain(state.device)}`,
    `- Workspace trusted: ${report.trusted ? 'yes' : restricted}`,
    ...section('Problems', report.problems.length === 0 ? ['none'] : report.problems),
    ...section('Helper processes', report.helpers),
    ...report.folders.flatMap((folder) => section(`Index of ${folder.root}`, folderLines(folder))),
  ];
}

function folderLines({ progress, ...folder }: FolderReport): string[] {
  const { phase = 'ready', done, total, skipped = 0 } = progress;
  const counted =
    done === undefined || total === undefined || phase === 'ready'
      ? ''
      : `, ${String(done)} of ${String(total)} files`;
  return [
    `${phase}${counted}`,
    `${String(folder.files)} files known${skipped === 0 ? '' : `, ${String(skipped)} left out`}`,
    `files left out that may hold secrets: ${String(folder.secrets)}`,
    `folders watched for changes: ${folder.watched === 0 ? 'by VS Code' : String(folder.watched)}`,
    `word statistics: ${folder.ngrams ? 'there' : 'not yet'}`,
    `learnt of this repository: ${folder.adapter ?? 'nothing'}`,
    `Python: ${folder.interpreter === 'None' ? '' : `${folder.interpreter}, `}${folder.foundBy}`,
  ];
}

function section(title: string, items: readonly string[]): string[] {
  return ['', `## ${plain(title)}`, '', ...items.map((item) => `- ${plain(item)}`)];
}

/** Text that Markdown shows as it stands, on one line. */
export function plain(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/[\\`*_{}[\]<>#|~&]/g, '\\$&');
}
