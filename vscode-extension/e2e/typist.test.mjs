import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { codeLines } from './typist.mjs';

describe('codeLines', () => {
  it('leaves out what nothing is suggested for', () => {
    const text = 'import a\n\ndef f(b):\n    """Do.\n\n    More.\n    """\n    # why\n    pass\n';
    assert.deepEqual(codeLines(text), [['def f(', 'b):'], ['    pass']]);
    assert.deepEqual(codeLines('class A:\r\n    """One line."""\r\n    b = 1\r\n'), [
      ['class A:'],
      ['    b = ', '1'],
    ]);
  });

  it('ends a piece where somebody would look up, and loses nothing', () => {
    const line = '        return self.url.join(a, b) if c in d';
    const [pieces] = codeLines(`def f(): pass\n${line}\n`).slice(1);
    assert.deepEqual(pieces, [
      '        return ',
      'self.',
      'url.',
      'join(',
      'a, ',
      'b) if c in ',
      'd',
    ]);
  });
});
