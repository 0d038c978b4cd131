/** The languages that the server completes, by the names that VS Code gives them. */
export const LANGUAGES = [
  'python',
  'java',
  'javascript',
  'javascriptreact',
  'typescript',
  'typescriptreact',
] as const;

/** What the server is told of: files, new documents, and the Python cells of notebooks. */
export const DOCUMENTS = [
  ...LANGUAGES.flatMap((language) => [
    { language, scheme: 'file' },
    { language, scheme: 'untitled' },
  ]),
  { language: 'python', scheme: 'vscode-notebook-cell' },
];
