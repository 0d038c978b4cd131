import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';

import { DOCUMENTS, LANGUAGES } from '../languages';

describe('DOCUMENTS', () => {
  const told = (language: string, scheme: string): boolean =>
    DOCUMENTS.some((each) => each.language === language && each.scheme === scheme);

  it('has files and new documents of every language', () => {
    for (const language of LANGUAGES) {
      assert.ok(told(language, 'file') && told(language, 'untitled'), language);
    }
  });

  it("has notebooks' cells in Python alone, and what lies elsewhere not at all", () => {
    assert.ok(told('python', 'vscode-notebook-cell'));
    assert.ok(!told('typescript', 'vscode-notebook-cell'));
    assert.ok(!told('python', 'git'));
  });

  it('starts the extension', () => {
    const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
      activationEvents: string[];
    };
    assert.deepEqual(
      manifest.activationEvents,
      LANGUAGES.map((language) => `onLanguage:${language}`),
    );
  });
});
