// An API that was asked for: how it is listed, and what inserting it writes.

/** One answer of the server's command `lancefill.ask`. */
export interface ApiAnswer {
  readonly name: string;
  readonly kind: string;
  readonly signature: string;
  readonly documentation: string;
  readonly path: string;
  /** A call with the parameters' names as placeholders. */
  readonly call: string;
  /** The import statement that the call needs; empty: none. */
  readonly imported: string;
  readonly top: string;
  /** Path and line, from 1, of up to three uses. */
  readonly used: readonly (readonly [string, number])[];
}

/** How a quick pick shows an answer. */
export interface Listed {
  readonly label: string;
  readonly description: string;
  readonly detail: string;
}

export function listed(answer: ApiAnswer): Listed {
  const uses = answer.used.map(([path, line]) => `${path}:${String(line)}`).join(', ');
  return {
    label: answer.signature || answer.name,
    description: `${answer.kind} in ${answer.path}`,
    detail: [answer.documentation, uses && `used in ${uses}`].filter(Boolean).join(' · '),
  };
}

/**
 * The call as a snippet: its arguments are to be filled in, and so is a variable's name.
 *
 * The same fields as the server's own offer below a comment.
 */
export function callSnippet({ call, top }: Pick<ApiAnswer, 'call' | 'top'>): string {
  let number = 0;
  const field = (text: string): string => {
    number += 1;
    return `\${${String(number)}:${escaped(text).replaceAll('}', '\\}')}}`;
  };
  const bracket = call.indexOf('(');
  const head = bracket < 0 ? call : call.slice(0, bracket);
  const dot = head.indexOf('.');
  const receiver = dot < 0 ? '' : head.slice(0, dot);
  const named =
    receiver && !mentions(call, top)
      ? `${field(receiver)}${escaped(head.slice(dot))}`
      : escaped(head);
  if (bracket < 0) {
    return `${named}$0`;
  }
  const given = call.slice(bracket + 1).replace(/\)$/, '');
  return `${named}(${given === '' ? '' : given.split(', ').map(field).join(', ')})$0`;
}

function escaped(text: string): string {
  return text.replace(/[\\$]/g, '\\$&');
}

function mentions(call: string, name: string): boolean {
  return call.split(/[^\w$]+/).includes(name);
}

/** Text to insert before a line, counted from 0. */
export interface ImportEdit {
  readonly line: number;
  readonly text: string;
}

/**
 * Where the import statement goes, or undefined where the text has it already.
 *
 * It goes below the last import at the top level that stands before the first definition; without
 * one, below what must come first in a file: comments, a docstring, a package declaration.
 */
export function importEdit(text: string, statement: string, eol: string): ImportEdit | undefined {
  const lines = text.split(/\r\n|\n|\r/);
  if (statement === '' || lines.some((line) => line.trimEnd() === statement)) {
    return undefined;
  }
  const imported = importsEnd(lines);
  if (imported > 0) {
    return placed(lines, imported, statement + eol, eol);
  }
  const line = preambleEnd(lines);
  const above = line > 0 ? eol : '';
  const below = lines[line]?.trim() ? eol : '';
  return placed(lines, line, above + statement + eol + below, eol);
}

/** An insertion before a line; the last line of a file may have no line break of its own. */
function placed(lines: readonly string[], line: number, text: string, eol: string): ImportEdit {
  return { line, text: line < lines.length ? text : eol + text };
}

const IMPORT = /^(import\b(?!\s*[.(])|from\s+\S+\s+import\b)/;
const DEFINITION =
  /^(@|(async\s+)?def\s|class\s|function\b|(export|public|abstract|final)\s|interface\s|enum\s)/;
const PREAMBLE = /^(#|\/\/|\/?\*|\s+\*|package\s|"[^"]*";?\s*$|'[^']*';?\s*$)/;
const QUOTES = /^[rRuU]?("""|''')/;

/** The line behind the last import's statement; 0 where there is none. */
function importsEnd(lines: readonly string[]): number {
  let end = 0;
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] ?? '';
    const quotes = QUOTES.exec(line)?.[1];
    if (DEFINITION.test(line)) {
      break;
    }
    if (quotes !== undefined) {
      at = stringEnd(lines, at, quotes);
    } else if (IMPORT.test(line)) {
      at = end = statementEnd(lines, at);
    } else {
      at += 1;
    }
  }
  return end;
}

/** The line behind a statement: it goes on while brackets are open or a line ends with `\`. */
function statementEnd(lines: readonly string[], start: number): number {
  let depth = 0;
  for (let at = start; at < lines.length; at += 1) {
    const code = (lines[at] ?? '').replace(/(#|\/\/).*$/, '').trimEnd();
    depth += count(code, /[({]/g) - count(code, /[)}]/g);
    if (depth <= 0 && !code.endsWith('\\')) {
      return at + 1;
    }
  }
  return lines.length;
}

function stringEnd(lines: readonly string[], start: number, quotes: string): number {
  const first = lines[start] ?? '';
  if (first.includes(quotes, first.indexOf(quotes) + quotes.length)) {
    return start + 1;
  }
  const end = lines.findIndex((line, at) => at > start && line.includes(quotes));
  return end < 0 ? lines.length : end + 1;
}

/** The line behind the last one of what must come first; blank lines below it do not count. */
function preambleEnd(lines: readonly string[]): number {
  let end = 0;
  let at = 0;
  while (at < lines.length) {
    const line = lines[at] ?? '';
    const quotes = QUOTES.exec(line)?.[1];
    if (quotes !== undefined) {
      at = end = stringEnd(lines, at, quotes);
    } else if (PREAMBLE.test(line)) {
      at = end = at + 1;
    } else if (line.trim() === '') {
      at += 1;
    } else {
      break;
    }
  }
  return end;
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}
