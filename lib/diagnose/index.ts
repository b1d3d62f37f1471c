import '../backend';

export * from './baselines';
export {
  layerStatistics,
  type ActivationStatistics,
  type LayerStatistics,
  type LayerStatisticsOptions,
  type ParameterStatistics,
} from './statistics';
export { dataHints, type DataHint, type DataHintKind, type DataHintsOptions } from './data-hints';
export { diagnose, type DiagnoseOptions, type Diagnosis } from './diagnose';
export type { Evidence } from './evidence';
export { decide, type Decision, type Measurements, type Rival, type RivalKind, type Verdict } from './procedure';
export type { StageProgress } from './examination';
export type { Measured } from './measure';
export type { Standing } from './standing';
export type { Curve } from './trainings/training';
export type { Suggestion } from './suggestions';
