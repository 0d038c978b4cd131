/**
 * Says, as TypeScript's own checker sees it, which file defines what each call of a repository calls.
 *
 * `node calls.mjs TYPESCRIPT ROOT`: the folder of the typescript package, and the repository; the
 * paths of the files, relative to ROOT, come on standard input. The output is that of Calls.java.
 * ROOT's tsconfig.json is heeded where there is one; libraries are not needed, and calls that depend
 * on them are missing.
 */
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [typescript, root] = process.argv.slice(2);
const ts = createRequire(import.meta.url)(typescript);
const files = fs.readFileSync(0, "utf8").split("\n").filter(Boolean);

const DEFAULTS = {
  allowJs: true,
  jsx: ts.JsxEmit.Preserve,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  target: ts.ScriptTarget.ESNext,
  allowImportingTsExtensions: true,
  noEmit: true,
  skipLibCheck: true,
  types: [],
};

function options() {
  const file = path.join(root, "tsconfig.json");
  if (!fs.existsSync(file)) {
    return DEFAULTS;
  }
  const { config } = ts.readConfigFile(file, ts.sys.readFile);
  const read = ts.parseJsonConfigFileContent({ ...config, files: [], include: [] }, ts.sys, root);
  return { ...DEFAULTS, ...read.options, types: [], noEmit: true };
}

const program = ts.createProgram(
  files.map((each) => path.join(root, each)),
  options(),
);
const checker = program.getTypeChecker();
const known = new Set(files);

function relative(source) {
  return path.relative(root, source.fileName).split(path.sep).join("/");
}

/** The file that defines a name; undefined where it is not known, or not one file of ours. */
function definition(name) {
  let symbol = checker.getSymbolAtLocation(name);
  if (symbol && symbol.flags & ts.SymbolFlags.Alias) {
    symbol = checker.getAliasedSymbol(symbol);
  }
  const found = new Set((symbol?.declarations ?? []).map((each) => relative(each.getSourceFile())));
  const [only] = found;
  return found.size === 1 && known.has(only) ? only : undefined;
}

function form(receiver) {
  if (receiver.kind === ts.SyntaxKind.ThisKeyword || receiver.kind === ts.SyntaxKind.SuperKeyword) {
    return "self";
  }
  if (ts.isCallExpression(receiver) || ts.isNewExpression(receiver)) {
    return "call";
  }
  if (ts.isPropertyAccessExpression(receiver)) {
    return "attribute";
  }
  if (!ts.isIdentifier(receiver)) {
    return "other";
  }
  const symbol = checker.getSymbolAtLocation(receiver);
  if (symbol && symbol.flags & ts.SymbolFlags.Alias) {
    return "imported";
  }
  const declared = symbol?.valueDeclaration;
  let around = declared;
  while (around && ts.isBindingElement(around)) {
    around = around.parent.parent;
  }
  return around && ts.isParameter(around) ? "parameter" : "variable";
}

/** The names that the imports of a file bind. */
function imports(source) {
  const bound = new Set();
  for (const statement of source.statements) {
    const clause = ts.isImportDeclaration(statement) ? statement.importClause : undefined;
    if (clause?.name) {
      bound.add(clause.name.text);
    }
    const named = clause?.namedBindings;
    if (named && ts.isNamespaceImport(named)) {
      bound.add(named.name.text);
    } else if (named) {
      named.elements.forEach((each) => bound.add(each.name.text));
    }
  }
  return bound;
}

function write(source, callee, bound) {
  const member = ts.isPropertyAccessExpression(callee);
  const name = member ? callee.name : callee;
  if (!ts.isIdentifier(name)) {
    return;
  }
  const file = definition(name);
  if (file === undefined) {
    return;
  }
  const receiver = member ? callee.expression : undefined;
  const text = (receiver ?? name).getText(source);
  const fields = [
    relative(source),
    name.getStart(source),
    name.getEnd(),
    receiver ? receiver.getStart(source) : -1,
    receiver ? receiver.getEnd() : -1,
    receiver ? form(receiver) : "",
    bound.has(text.split(/[^\w$]/, 1)[0]),
    file,
  ];
  lines.push(fields.join("\t"));
}

const lines = [];
for (const each of files) {
  const source = program.getSourceFile(path.join(root, each));
  if (source === undefined) {
    continue;
  }
  const bound = imports(source);
  const visit = (node) => {
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
      write(source, node.expression, bound);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
}
process.stdout.write(lines.map((each) => `${each}\n`).join(""));
