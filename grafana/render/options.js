// The field options that Grafana's panel plugins register when they are loaded, which does not happen outside of Grafana.

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

/** Returns a registry of the standard options and of all custom options that the dashboard uses. */
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
