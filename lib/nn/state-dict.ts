import { ValueError } from '../errors';
import { beforeSubmission, submit } from '../graph/evaluate';
import { cast } from '../ops/cast';
import { isFloat } from '../tensor/dtype';
import { formatShape, shapesEqual } from '../tensor/shape';
import { TensorBase, type Tensor, type Variable } from '../tensor/tensor';

/** Tensors by PyTorch's names, in PyTorch's order. */
export type StateDict = Map<string, Tensor>;

/** What can be loaded: a state dict, or an object with the same entries. */
export type StateDictLike = ReadonlyMap<string, TensorBase> | { readonly [key: string]: TensorBase };

/** The name that a field has in a state dict: `runningMean` is `running_mean` there. */
export function stateKey(field: string): string {
  return field.replace(/[A-Z]/g, (capital) => `_${capital.toLowerCase()}`);
}

export interface IncompatibleKeys {
  readonly missingKeys: string[];
  readonly unexpectedKeys: string[];
}

/**
 * Gives every variable the value of its name. All that does not fit is in one error, thrown before anything is changed;
 * `strict: false` lets keys be missing or unexpected.
 */
export function loadState(
  owner: string,
  variables: readonly (readonly [string, Variable])[],
  dict: StateDictLike,
  strict: boolean,
): IncompatibleKeys {
  const entries = new Map<string, TensorBase>(isMap(dict) ? dict : Object.entries(dict));
  const known = new Set(variables.map(([key]) => key));
  const missingKeys = [...known].filter((key) => !entries.has(key));
  const unexpectedKeys = [...entries.keys()].filter((key) => !known.has(key));
  const misfits = variables.flatMap(([key, variable]) => {
    const reason = entries.has(key) ? misfit(variable, entries.get(key)) : null;
    return reason === null ? [] : [`${key} ${reason}`];
  });

  const problems: string[] = [];
  if (strict && missingKeys.length > 0) problems.push(`missing keys: ${missingKeys.join(', ')}`);
  if (strict && unexpectedKeys.length > 0) problems.push(`unexpected keys: ${unexpectedKeys.join(', ')}`);
  if (misfits.length > 0) problems.push(`values that do not fit: ${misfits.join('; ')}`);
  if (problems.length > 0) throw new ValueError(`loadStateDict: ${owner} has not been changed; ${problems.join('; ')}`);

  // An earlier failure is thrown before anything changes.
  void beforeSubmission({});
  const loaded: Tensor[] = [];
  for (const [key, variable] of variables) {
    const value = entries.get(key);
    if (value === undefined) continue;
    variable.assign(cast(value, variable.dtype));
    loaded.push(variable.current);
  }
  // What had to be converted is, so that the first step is the program that all later ones are.
  void submit(loaded);
  return { missingKeys, unexpectedKeys };
}

function isMap(dict: StateDictLike): dict is ReadonlyMap<string, TensorBase> {
  if (dict instanceof Map) return true;
  if (typeof dict === 'object' && dict !== null && !Array.isArray(dict)) return false;
  throw new ValueError(`loadStateDict: takes a state dict, a Map or object of tensors, got ${String(dict)}`);
}

/** Why the value cannot be the variable's; null if it can. */
function misfit(variable: Variable, value: unknown): string | null {
  if (!(value instanceof TensorBase)) return `is not a tensor`;
  if (!shapesEqual(variable.shape, value.shape))
    return `has shape ${formatShape(value.shape)}, expected ${formatShape(variable.shape)}`;
  if (isFloat(variable.dtype) !== isFloat(value.dtype)) return `is ${value.dtype}, expected ${variable.dtype}`;
  return null;
}

/** The value as it is saved: PyTorch's whole numbers are int64. */
export function savedValue(value: Tensor): Tensor {
  return value.dtype === 'int32' ? cast(value, 'int64') : value;
}
