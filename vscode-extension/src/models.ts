// The installed models, as the server's command line lists them and the picker shows them.

/** One object of what `lancefill model list --json` prints. */
export interface InstalledModel {
  readonly name: string;
  readonly family: string;
  readonly parameters: number;
  /** Of its weights. */
  readonly bytes: number;
  readonly in_use: boolean;
  /** Why it cannot be used; empty: nothing is known against it. */
  readonly problem: string;
}

/** How a quick pick shows a model. */
export interface ModelItem {
  readonly label: string;
  readonly description: string;
  readonly detail: string;
}

/** The list on a line of what was printed, warnings around it; undefined where there is none. */
export function readModels(output: string): readonly InstalledModel[] | undefined {
  const line = output.split('\n').find((each) => each.startsWith('['));
  try {
    const list: unknown = JSON.parse(line ?? '');
    return Array.isArray(list) && list.every(isModel) ? list : undefined;
  } catch {
    return undefined;
  }
}

function isModel(value: unknown): value is InstalledModel {
  const { name, family, parameters, bytes, in_use, problem } = Object(value) as InstalledModel;
  const texts = [name, family, problem].every((each) => typeof each === 'string');
  const numbers = [parameters, bytes].every((each) => typeof each === 'number');
  return texts && numbers && typeof in_use === 'boolean';
}

export function modelItem(model: InstalledModel): ModelItem {
  const millions = `${(model.parameters / 1e6).toFixed(1)}M parameters`;
  const size = `${(model.bytes / 1e6).toFixed(0)} MB`;
  return {
    label: model.name,
    description: model.in_use ? 'in use' : '',
    detail: model.problem || `${model.family}, ${millions}, ${size}`,
  };
}
