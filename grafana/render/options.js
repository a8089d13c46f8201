// The field options that Grafana's panels register when they load; outside of Grafana nobody does it for us.

import { FieldConfigOptionsRegistry } from '@grafana/data';

const STANDARD = ['unit', 'decimals', 'min', 'max', 'mappings', 'thresholds', 'color', 'links', 'noValue', 'displayName'];

const item = (id, path, isCustom) => ({
  id,
  path,
  isCustom,
  name: id,
  process: (value) => value,
  shouldApply: () => true,
  override: () => null,
  editor: () => null,
  settings: {},
});

/** A registry that knows the standard options, and every option of its own that a dashboard's panels use. */
export function registryFor(dashboard) {
  const custom = new Set();
  for (const { fieldConfig } of dashboard.panels) {
    Object.keys(fieldConfig?.defaults?.custom ?? {}).forEach((key) => custom.add(key));
    for (const { properties } of fieldConfig?.overrides ?? []) {
      properties.filter(({ id }) => id.startsWith('custom.')).forEach(({ id }) => custom.add(id.slice('custom.'.length)));
    }
  }
  return new FieldConfigOptionsRegistry(() => [
    ...STANDARD.map((id) => item(id, id, false)),
    ...[...custom].map((key) => item(`custom.${key}`, key, true)),
  ]);
}
