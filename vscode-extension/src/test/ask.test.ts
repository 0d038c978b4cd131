import assert from 'node:assert/strict';
import { describe, it } from 'node:test';

import { callSnippet, importEdit, listed, type ApiAnswer } from '../ask';

const ANSWER: ApiAnswer = {
  name: 'pool.Pool.connect',
  kind: 'method',
  signature: 'connect(host: str) -> int',
  documentation: 'Open a connection.',
  path: 'pool.py',
  call: 'pool.connect(host)',
  imported: 'from pool import Pool',
  top: 'Pool',
  used: [
    ['app.py', 4],
    ['cli.py', 9],
  ],
};

describe('listed', () => {
  it('shows signature, place, documentation and uses', () => {
    assert.deepEqual(listed(ANSWER), {
      label: 'connect(host: str) -> int',
      description: 'method in pool.py',
      detail: 'Open a connection. · used in app.py:4, cli.py:9',
    });
  });

  it('shows the name of what has no signature, and nothing for what is not known', () => {
    const bare = listed({ ...ANSWER, signature: '', documentation: '', used: [] });
    assert.equal(bare.label, 'pool.Pool.connect');
    assert.equal(bare.detail, '');
  });
});

describe('callSnippet', () => {
  it('makes fields of the arguments and of a variable', () => {
    assert.equal(callSnippet(ANSWER), '${1:pool}.connect(${2:host})$0');
  });

  it('leaves the name of a class or a function as it is', () => {
    assert.equal(callSnippet({ call: 'Pool.of(a, b)', top: 'Pool' }), 'Pool.of(${1:a}, ${2:b})$0');
    assert.equal(callSnippet({ call: 'new Pool()', top: 'Pool' }), 'new Pool()$0');
  });

  it('takes what has no brackets for an attribute', () => {
    assert.equal(callSnippet({ call: 'pool.size', top: 'Pool' }), '${1:pool}.size$0');
  });

  it('writes what snippets would read as theirs as text', () => {
    assert.equal(callSnippet({ call: '$get({a})', top: '$get' }), '\\$get(${1:{a\\}})$0');
  });
});

/** The text after the edit, as the editor does it: a line too far is the end. */
function edited(text: string, statement: string): string {
  const edit = importEdit(text, statement, '\n');
  if (edit === undefined) {
    return text;
  }
  const lines = text.split('\n');
  const before = lines.slice(0, edit.line).join('\n');
  const after = lines.slice(edit.line).join('\n');
  if (edit.line >= lines.length) {
    return text + edit.text;
  }
  return before + (edit.line > 0 ? '\n' : '') + edit.text + after;
}

describe('importEdit', () => {
  it('goes below the last import', () => {
    assert.equal(
      edited('import a\nimport b\n\nx = 1\n', 'import c'),
      'import a\nimport b\nimport c\n\nx = 1\n',
    );
  });

  it('goes below an import of several lines, in brackets or not', () => {
    assert.equal(
      edited('from a import (  # (\n    b,\n)\nx = 1\n', 'import c'),
      'from a import (  # (\n    b,\n)\nimport c\nx = 1\n',
    );
    assert.equal(
      edited('import a, \\\n    b\nx\n', 'import c'),
      'import a, \\\n    b\nimport c\nx\n',
    );
    assert.equal(
      edited("import {\n  a,\n} from 'a';\na();\n", "import { c } from './c';"),
      "import {\n  a,\n} from 'a';\nimport { c } from './c';\na();\n",
    );
  });

  it('does not go below imports behind a definition, in a block or in a string', () => {
    const late = 'import a\n\ndef f():\n    import b\n\nimport late\n';
    assert.equal(edited(late, 'import c'), late.replace('import a\n', 'import a\nimport c\n'));
    const said = '"""Usage:\nimport x\n"""\nx = 1\n';
    assert.equal(edited(said, 'import c'), '"""Usage:\nimport x\n"""\n\nimport c\n\nx = 1\n');
  });

  it('goes below what must come first where there is no import', () => {
    assert.equal(edited('', 'import c'), 'import c\n');
    assert.equal(edited('x = 1', 'import c'), 'import c\n\nx = 1');
    assert.equal(
      edited('#!/bin/python\n\nx = 1\n', 'import c'),
      '#!/bin/python\n\nimport c\n\nx = 1\n',
    );
    assert.equal(
      edited('package a;\n\nclass B {}\n', 'import c.D;'),
      'package a;\n\nimport c.D;\n\nclass B {}\n',
    );
  });

  it('begins a line of its own where the last one has no end', () => {
    assert.equal(edited('import a', 'import c'), 'import a\nimport c\n');
  });

  it('is not written twice, and not where none is needed', () => {
    assert.equal(importEdit('import c\r\nx', 'import c', '\r\n'), undefined);
    assert.equal(importEdit('x', '', '\n'), undefined);
  });

  it('does not take a call of import or its meta data for a statement', () => {
    const text = "import('a');\nimport.meta.url;\n";
    assert.equal(edited(text, 'import c'), `import c\n\n${text}`);
  });
});
