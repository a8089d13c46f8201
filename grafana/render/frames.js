// Conversion of Prometheus results to Grafana data frames, as in Grafana's Prometheus data source.

import { FieldType, renderLegendFormat, toDataFrame } from '@grafana/data';

/** Returns the data frames of a panel: one per series, or one per query if the format is a table. */
export function frames(panel, results) {
  const targets = panel.targets ?? [];
  return targets.flatMap((target) => {
    const result = results[`${panel.id}/${target.refId}`] ?? [];
    return target.format === 'table'
      ? [tableFrame(target, result, targets.length > 1)]
      : result.map((series) => seriesFrame(target, series));
  });
}

function seriesFrame(target, series) {
  const points = series.values ?? [series.value];
  const config = { displayNameFromDS: legend(target, series.metric) };
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: points.map(([time]) => time * 1000), config: {} },
      { name: 'Value', type: FieldType.number, labels: series.metric, values: points.map(([, value]) => finite(value)), config },
    ],
  });
}

// As Grafana's graphs do: a value that is not a number is a gap.
function finite(value) {
  return Number.isFinite(Number(value)) ? Number(value) : null;
}

function legend(target, labels) {
  if (target.legendFormat && target.legendFormat !== '__auto') {
    return renderLegendFormat(target.legendFormat, labels);
  }
  return Object.entries(labels).map(([name, value]) => `${name}="${value}"`).join(', ') || target.expr;
}

function tableFrame(target, result, lettered) {
  const labels = [...new Set(result.flatMap((series) => Object.keys(series.metric)))].sort();
  const value = lettered ? `Value #${target.refId}` : 'Value';
  return toDataFrame({
    refId: target.refId,
    fields: [
      { name: 'Time', type: FieldType.time, values: result.map((series) => series.value[0] * 1000), config: {} },
      ...labels.map((name) => ({
        name,
        type: FieldType.string,
        values: result.map((series) => series.metric[name] ?? ''),
        config: { filterable: true },
      })),
      { name: value, type: FieldType.number, values: result.map((series) => Number(series.value[1])), config: {} },
    ],
  });
}
