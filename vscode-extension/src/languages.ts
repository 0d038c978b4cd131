/** The languages that the server completes, by the names that VS Code gives them. */
export const LANGUAGES = [
  'python',
  'java',
  'javascript',
  'javascriptreact',
  'typescript',
  'typescriptreact',
] as const;
