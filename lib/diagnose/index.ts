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
