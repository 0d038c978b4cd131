// Everything that a request at a position led to, as a page that people read.

import { plain } from './status';

interface Why {
  readonly code: string;
  readonly message: string;
}

interface Step {
  readonly step: string;
  readonly start: number;
  readonly end: number;
}

interface Item {
  readonly label: string;
  readonly origin: string;
  readonly score: number;
  readonly detail: string;
  readonly evidence: readonly {
    readonly feature: string;
    readonly contribution: number;
    readonly text: string;
  }[];
}

/** The answer to `lancefill/explain`, as far as it is shown. */
export interface Explanation {
  readonly request: { readonly path: string };
  readonly popup: {
    readonly items: readonly Item[];
    readonly reasons: readonly Why[];
    readonly timeline: readonly Step[];
  };
  readonly ghost: {
    readonly edit: { readonly text: string } | null;
    readonly reason: Why | null;
    readonly confidence: number;
    readonly tokens: number;
    readonly stop: string;
    readonly prompt: {
      readonly header: string;
      readonly prefix: string;
      readonly suffix: string;
      readonly sources: readonly string[];
    } | null;
    readonly asked: {
      readonly ngrams: string | null;
      readonly adapter: string | null;
      readonly names: Readonly<Record<string, number>>;
      readonly known: { readonly here: readonly string[] | null };
    } | null;
    readonly timeline: readonly Step[];
  };
}

const SHOWN_ITEMS = 20;
const SHOWN_FEATURES = 3;

/** The page; `line` counts from 1. A reason comes in place of the explanation of what is unknown. */
export function explanationPage(answer: Explanation | Why, line: number): string {
  if (!('popup' in answer)) {
    return `# Nothing to explain\n\n${plain(answer.message)} (\`${answer.code}\`)\n`;
  }
  const title = `# What is suggested in ${plain(answer.request.path)}, line ${String(line)}`;
  return [title, ghostPart(answer), popupPart(answer), promptPart(answer)].join('\n\n') + '\n';
}

function ghostPart({ ghost }: Explanation): string {
  const sure = `${(100 * ghost.confidence).toFixed(0)} % sure, ${String(ghost.tokens)} tokens`;
  const parts = ['## Ghost text'];
  if (ghost.reason !== null) {
    parts.push(why(ghost.reason));
  }
  if (ghost.edit !== null) {
    parts.push(
      fenced(ghost.edit.text),
      `${sure}${ghost.stop && `, ended by: ${plain(ghost.stop)}`}`,
    );
  }
  return [...parts, timeline(ghost.timeline)].join('\n\n');
}

function popupPart({ popup }: Explanation): string {
  const shown = popup.items.slice(0, SHOWN_ITEMS);
  const more = popup.items.length - shown.length;
  const rows = shown.map((item, at) => `| ${String(at + 1)} | ${row(item).join(' | ')} |`);
  const parts = ['## Popup', ...popup.reasons.map(why)];
  if (rows.length > 0) {
    const head = '| | candidate | found as | score | evidence | what weighed most |';
    parts.push([head, '|-|-|-|-|-|-|', ...rows].join('\n'));
  }
  if (more > 0) {
    parts.push(`and ${String(more)} more`);
  }
  return [...parts, timeline(popup.timeline)].join('\n\n');
}

function row(item: Item): string[] {
  const said = item.evidence.map(({ text }) => text).filter(Boolean);
  const heaviest = [...item.evidence]
    .sort((one, other) => Math.abs(other.contribution) - Math.abs(one.contribution))
    .slice(0, SHOWN_FEATURES)
    .map(({ feature, contribution }) => `${feature} ${signed(contribution)}`);
  const { label, detail, origin, score } = item;
  const cells = [label + detail, origin, score.toFixed(2)].map(plain);
  return [...cells, said.map(coded).join('; '), plain(heaviest.join(', '))];
}

/** Words of the server's: what stands in backticks is code, nothing else is Markdown. */
function coded(text: string): string {
  const parts = text.split(/(`[^`|\s]+`)/);
  return parts.map((part, at) => (at % 2 === 1 ? part : plain(part))).join('');
}

function promptPart({ request, ghost: { prompt, asked } }: Explanation): string {
  if (prompt === null) {
    return '## Prompt\n\nThe model was not asked.';
  }
  const sources = prompt.sources.map(plain).join(', ') || 'none';
  return [
    '## Prompt',
    `From other files (${sources})`,
    fenced(prompt.header),
    `Before the cursor (${plain(request.path)})`,
    fenced(prompt.prefix),
    `Behind the cursor (${plain(request.path)})`,
    fenced(prompt.suffix),
    ...(asked === null ? [] : [besidePrompt(asked, request.path)]),
  ].join('\n\n');
}

/** What the model process was told beside the prompt: no network reads it. */
function besidePrompt(asked: NonNullable<Explanation['ghost']['asked']>, path: string): string {
  const names = Object.entries(asked.names).map(([name, p]) => `${name} ${p.toFixed(3)}`);
  const { here } = asked.known;
  return [
    'Beside the prompt the model process was told:',
    `- the whole text of ${plain(path)}, counted together with the n-gram`,
    `- the repository's n-gram: ${plain(asked.ngrams ?? 'none')}`,
    `- the model's adapter: ${plain(asked.adapter ?? 'none')}`,
    `- names that may stand here, with their probabilities: ${plain(names.join(', ')) || 'none'}`,
    ...(here === null
      ? []
      : [`- names beside which no others exist here: ${plain(here.join(', ')) || 'none'}`]),
  ].join('\n');
}

function timeline(steps: readonly Step[]): string {
  const rows = steps.map(
    ({ step, start, end }) =>
      `| ${plain(step)} | ${start.toFixed(1)} | ${(end - start).toFixed(1)} |`,
  );
  return ['| step | from (ms) | took (ms) |', '|-|-:|-:|', ...rows].join('\n');
}

function why(reason: Why): string {
  return `**${plain(reason.message)}** (\`${reason.code}\`)`;
}

function signed(value: number): string {
  return `${value < 0 ? '' : '+'}${value.toFixed(2)}`;
}

/** A code block; its fence is longer than any row of backticks inside. */
function fenced(code: string): string {
  const longest = Math.max(2, ...(code.match(/`+/g) ?? []).map((each) => each.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}\n${code}\n${fence}`;
}
