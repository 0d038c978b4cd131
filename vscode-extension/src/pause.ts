// Where and how long nothing is suggested. The server is not asked: it goes on indexing.

/** The pauses of one window; `now` is a clock in milliseconds. They end with the window. */
export class Pauses {
  private readonly files = new Set<string>();
  private workspace = false;
  private until = 0;

  constructor(private readonly now: () => number) {}

  pauseFile(uri: string): void {
    this.files.add(fileOf(uri));
  }

  pauseWorkspace(): void {
    this.workspace = true;
  }

  /** Pauses everything for a time in milliseconds. */
  pauseFor(duration: number): void {
    this.until = this.now() + duration;
  }

  /** Ends all that keeps `uri` silent; other files stay paused. */
  resume(uri: string | undefined): void {
    this.workspace = false;
    this.until = 0;
    if (uri !== undefined) {
      this.files.delete(fileOf(uri));
    }
  }

  /** Why a file is paused, in words; undefined where it is not. */
  of(uri: string | undefined): string | undefined {
    if (this.workspace) {
      return 'paused for this workspace';
    }
    const left = this.until - this.now();
    if (left > 0) {
      return `paused for ${String(Math.ceil(left / MINUTE))} min`;
    }
    return uri !== undefined && this.files.has(fileOf(uri)) ? 'paused for this file' : undefined;
  }
}

/** The document, or for a notebook's cell the notebook: their URIs differ in the fragment. */
function fileOf(uri: string): string {
  return uri.startsWith('vscode-notebook-cell:') ? uri.replace(/#.*/, '') : uri;
}

const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
