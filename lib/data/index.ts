export { readCsv, type CsvColumn, type CsvOptions, type CsvTable } from './csv';
export type { Dataset } from './dataset';
export { loadDigits } from './digits';
export { readIdx, type Idx, type IdxArray } from './idx';
export { DataLoader, type Batch, type DataLoaderOptions, type DataLoaderState } from './loader';
export { loadIdxDirectory } from './mnist';
export { stratifiedSplit, type Split } from './split';
