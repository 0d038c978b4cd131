import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { explanationPage, type Explanation } from '../explain';

const EXPLANATION: Explanation = {
  request: { path: 'app.py' },
  popup: {
    items: [
      {
        label: 'connect',
        origin: 'member',
        score: -0.752,
        detail: '(host: str | None)',
        evidence: [
          { feature: 'recent', contribution: -0.427, text: '' },
          { feature: 'needed', contribution: 0.652, text: '' },
          { feature: 'member', contribution: 0.106, text: '`p` is a `Pool`, <b> `x|y`' },
          { feature: 'many', contribution: 0.001, text: '' },
        ],
      },
    ],
    reasons: [],
    timeline: [{ step: 'candidates', start: 0.07, end: 4.23 }],
  },
  ghost: {
    edit: { text: 'nect()' },
    reason: null,
    confidence: 0.584,
    tokens: 3,
    stop: 'line',
    prompt: { header: '# ```\n', prefix: 'p.con', suffix: '\n', sources: ['pool.py'] },
    asked: {
      ngrams: '/cache/work',
      adapter: null,
      names: { connect: 0.7519, close: 0.2 },
      known: { here: ['close', 'connect'] },
    },
    timeline: [],
  },
};

describe('explanationPage', () => {
  it('shows candidates with what was said and what weighed most', () => {
    const page = explanationPage(EXPLANATION, 5);
    assert.match(page, /app\.py, line 5/);
    assert.ok(
      page.includes(
        '| 1 | connect(host: str \\| None) | member | -0.75 | `p` is a `Pool`, \\<b\\> \\`x\\|y\\` | ' +
          'needed +0.65, recent -0.43, member +0.11 |',
      ),
    );
    assert.ok(page.includes('| candidates | 0.1 | 4.2 |'));
  });

  it('shows the ghost text and the prompt, fenced by more backticks than they hold', () => {
    const page = explanationPage(EXPLANATION, 5);
    assert.match(page, /58 % sure, 3 tokens, ended by: line/);
    assert.ok(page.includes('````\n# ```\n\n````'));
    assert.match(page, /From other files \(pool\.py\)/);
    assert.match(page, /Before the cursor \(app\.py\)/);
  });

  it('says what the model process was told beside the prompt', () => {
    const page = explanationPage(EXPLANATION, 5);
    assert.match(page, /whole text of app\.py/);
    assert.match(page, /n-gram: \/cache\/work/);
    assert.match(page, /adapter: none/);
    assert.match(page, /probabilities: connect 0\.752, close 0\.200/);
    assert.match(page, /no others exist here: close, connect/);
    const asked = { ngrams: null, adapter: null, names: {}, known: { here: null } };
    const ghost = { ...EXPLANATION.ghost, asked };
    const bare = explanationPage({ ...EXPLANATION, ghost }, 5);
    assert.match(bare, /n-gram: none/);
    assert.doesNotMatch(bare, /no others exist/);
  });

  it('shows the reason for no ghost text, and that no model was asked', () => {
    const reason = { code: 'gated', message: 'inside a comment' };
    const ghost = { ...EXPLANATION.ghost, edit: null, prompt: null, reason };
    const page = explanationPage({ ...EXPLANATION, ghost }, 5);
    assert.match(page, /\*\*inside a comment\*\* \(`gated`\)/);
    assert.match(page, /The model was not asked/);
  });

  it('says how many candidates are not shown', () => {
    const [item] = EXPLANATION.popup.items;
    assert.ok(item);
    const items = Array.from({ length: 23 }, () => item);
    const page = explanationPage({ ...EXPLANATION, popup: { ...EXPLANATION.popup, items } }, 1);
    assert.match(page, /and 3 more/);
  });

  it('passes on why there is nothing to explain', () => {
    const page = explanationPage({ code: 'not-indexed', message: 'the document is not open' }, 1);
    assert.match(page, /the document is not open \(`not-indexed`\)/);
  });
});
