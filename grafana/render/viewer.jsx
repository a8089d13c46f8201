// Draws a dashboard: panels at their grid positions, with the public ones of Grafana's React components.

import { useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import {
  applyFieldOverrides,
  cacheFieldDisplayNames,
  createTheme,
  dateTime,
  EventBusSrv,
  getFieldDisplayValues,
  renderMarkdown,
  standardTransformers,
  standardTransformersRegistry,
  ThemeContext,
  transformDataFrame,
} from '@grafana/data';
import { BigValue, GlobalStyles, PanelChrome, PanelContextProvider, TimeSeries } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { registryFor } from './options.js';
import { frames } from './frames.js';

const COLUMN = 64;
const ROW = 38;
const GAP = 8;
const { dashboard, results, from, to, theme: name } = window.INPUT;
const theme = createTheme({ colors: { mode: name } });
const range = { from: dateTime(from), to: dateTime(to), raw: { from: dateTime(from), to: dateTime(to) } };
const context = { eventsScope: 'render', eventBus: new EventBusSrv(), canAddAnnotations: () => false };
const registry = registryFor(dashboard);

// Some transformers are exported under two names, but a registry accepts each id only once.
const transformers = new Map(Object.values(standardTransformers).map((each) => [each.id, each]));
standardTransformersRegistry.setInit(() =>
  [...transformers.values()].map((each) => ({ id: each.id, name: each.name, transformation: async () => each }))
);

function withFieldConfig(panel, data) {
  const configured = applyFieldOverrides({
    data,
    fieldConfig: panel.fieldConfig,
    fieldConfigRegistry: registry,
    replaceVariables: (text) => text,
    theme,
    timeZone: 'utc',
  });
  cacheFieldDisplayNames(configured);
  return configured;
}

function Body({ panel, width, height }) {
  const [data, setData] = useState(null);
  useEffect(() => {
    const input = frames(panel, results);
    const subscription = transformDataFrame(panel.transformations ?? [], input).subscribe((output) =>
      setData(withFieldConfig(panel, output))
    );
    return () => subscription.unsubscribe();
  }, [panel]);
  if (panel.type === 'text') {
    const html = renderMarkdown(panel.options.content);
    return <div style={{ padding: 8, fontSize: 14 }} dangerouslySetInnerHTML={{ __html: html }} />;
  }
  if (data === null) {
    return null;
  }
  const empty = data.every((frame) => frame.length === 0);
  if (empty && panel.type !== 'stat') {
    return <Centered text={panel.fieldConfig.defaults.noValue} />;
  }
  const Visualization = VISUALIZATIONS[panel.type];
  return <Visualization panel={panel} data={data} width={width} height={height} />;
}

function Centered({ text }) {
  const style = { display: 'grid', placeItems: 'center', height: '100%', color: theme.colors.text.secondary };
  return <div style={style}>{text}</div>;
}

function Stat({ panel, data, width, height }) {
  const values = getFieldDisplayValues({
    data,
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.options.reduceOptions,
    replaceVariables: (text) => text,
    sparkline: panel.options.graphMode === 'area',
    theme,
    timeZone: 'utc',
  });
  if (data.length === 0) {
    return <Centered text={panel.fieldConfig.defaults.noValue} />;
  }
  const valueWidth = width / values.length;
  return (
    <div style={{ display: 'flex' }}>
      {values.map((value, index) => (
        <BigValue
          key={index}
          value={value.display}
          sparkline={value.sparkline}
          colorMode={panel.options.colorMode}
          graphMode={panel.options.graphMode}
          justifyMode={panel.options.justifyMode}
          textMode={panel.options.textMode}
          theme={theme}
          width={valueWidth}
          height={height}
        />
      ))}
    </div>
  );
}

function Graph({ panel, data, width, height }) {
  const series = data.filter((frame) => frame.fields.length > 1);
  return (
    <PanelContextProvider value={context}>
      <TimeSeries
        frames={series}
        structureRev={1}
        timeRange={range}
        timeZone="utc"
        width={width}
        height={height}
        legend={panel.options.legend}
        options={panel.options}
      />
    </PanelContextProvider>
  );
}

function Table({ panel, data, width, height }) {
  return (
    <TableNG
      data={data[0]}
      width={width}
      height={height}
      cellHeight={panel.options.cellHeight}
      enablePagination={panel.options.footer?.enablePagination}
      fieldConfig={panel.fieldConfig}
      structureRev={1}
      noHeader={false}
      showTypeIcons={false}
      timeRange={range}
    />
  );
}

// Grafana's state timeline is not among the public components. These bars are drawn by this program and marked as such.
function Timeline({ panel, data, width, height }) {
  const rows = data.filter((frame) => frame.fields.length > 1 && frame.length > 0);
  const labelWidth = 190;
  const footer = 18;
  const rowHeight = Math.min(36, (height - footer) / rows.length);
  const scale = (time) => labelWidth + ((time - from) / (to - from)) * (width - labelWidth);
  return (
    <svg width={width} height={height} fontSize={Math.min(12, rowHeight - 1)} fontFamily="inherit">
      {rows.map((frame, row) => {
        const [times, states] = frame.fields;
        return (
          <g key={row} transform={`translate(0, ${row * rowHeight})`}>
            <text x={0} y={rowHeight * 0.65} fill={theme.colors.text.secondary}>
              {states.config.displayNameFromDS.slice(0, 30)}
            </text>
            {segments(times.values, states.values).map(([begin, end, value], index) => {
              const x = Math.max(labelWidth, scale(begin));
              return (
                <rect key={index} x={x} y={1} width={Math.max(1, scale(end) - x)} height={rowHeight - 2}
                  fill={states.display(value).color} fillOpacity={0.75}>
                </rect>
              );
            })}
          </g>
        );
      })}
      <text x={width} y={height - 4} fontSize={10} textAnchor="end" fill={theme.colors.text.disabled}>
        {legendOf(panel).map(({ text, color }) => (
          <tspan key={text} fill={theme.visualization.getColorByName(color)}>{`${text}  `}</tspan>
        ))}
        (bars drawn by the renderer)
      </text>
    </svg>
  );
}

// Merges neighboring points of the same state into [begin, end, state]; points with a gap between them are not neighbors.
function segments(times, states) {
  const gap = 2 * Math.min(...times.slice(1).map((time, index) => time - times[index]), 60000);
  const result = [];
  times.forEach((time, index) => {
    const last = result.at(-1);
    const step = gap / 2;
    if (last && last[2] === states[index] && time - last[1] < gap) {
      last[1] = time + step;
    } else {
      result.push([time, time + step, states[index]]);
    }
  });
  return result;
}

function legendOf(panel) {
  const mappings = panel.fieldConfig.defaults.mappings.filter(({ type }) => type === 'value');
  return mappings.flatMap(({ options }) => Object.values(options));
}

const VISUALIZATIONS = { stat: Stat, timeseries: Graph, table: Table, 'state-timeline': Timeline };

function Panel({ panel }) {
  const { x, y, w, h } = panel.gridPos;
  const position = { position: 'absolute', left: x * COLUMN, top: y * ROW };
  if (panel.type === 'row') {
    return <h4 style={{ ...position, color: theme.colors.text.primary, paddingTop: 6 }}>{panel.title}</h4>;
  }
  return (
    <div style={position}>
      <PanelChrome
        title={panel.title}
        description={panel.description}
        width={w * COLUMN - GAP}
        height={h * ROW - GAP}
        padding={panel.type === 'text' ? 'none' : 'md'}
      >
        {(width, height) => <Body panel={panel} width={width} height={height} />}
      </PanelChrome>
    </div>
  );
}

const bottom = Math.max(...dashboard.panels.map((panel) => panel.gridPos.y + panel.gridPos.h));
document.body.style.cssText = `margin: 0; background: ${theme.colors.background.canvas}; color: ${theme.colors.text.primary}; font-family: Inter, Helvetica, Arial, sans-serif; font-size: 14px`;
createRoot(document.getElementById('page')).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <div style={{ position: 'relative', width: 24 * COLUMN, height: bottom * ROW, margin: 8 }}>
      {dashboard.panels.map((panel) => (
        <Panel key={panel.id} panel={panel} />
      ))}
    </div>
  </ThemeContext.Provider>
);
