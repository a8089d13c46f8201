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

function Unsupported() {
  return <Centered text="State timelines cannot be rendered outside of Grafana" />;
}

const VISUALIZATIONS = { stat: Stat, timeseries: Graph, table: Table, 'state-timeline': Unsupported };

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
