{{- define "exporter.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* At most 52 characters: the Service of shards and the names of their pods are longer. */ -}}
{{- define "exporter.fullname" -}}
{{- $name := include "exporter.name" . -}}
{{- $default := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $default .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- end -}}

{{- define "exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "exporter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "exporter.labels" -}}
{{ include "exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- end -}}

{{- define "exporter.sharded" -}}
{{- if gt (int .Values.shards) 1 }}true{{ end -}}
{{- end -}}

{{- /* The clusterIP of a Service cannot change, so the headless Service of shards has a name of its own. */ -}}
{{- define "exporter.serviceName" -}}
{{- include "exporter.fullname" . }}{{ if include "exporter.sharded" . }}-shards{{ end -}}
{{- end -}}

{{- define "exporter.serviceAccountName" -}}
{{- $default := ternary (include "exporter.fullname" .) "default" .Values.serviceAccount.create -}}
{{- default $default .Values.serviceAccount.name -}}
{{- end -}}

{{- define "exporter.secretName" -}}
{{- default (include "exporter.fullname" .) .Values.secret.name -}}
{{- end -}}

{{- define "exporter.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "exporter.metricsPath" -}}
{{- default "/metrics" .Values.settings.web_telemetry_path -}}
{{- end -}}

{{- define "exporter.probePort" -}}
{{- ternary .Values.web.healthPort .Values.web.port (ne .Values.web.configSecret "") -}}
{{- end -}}

{{- /* A single account without settings of its own needs no entry in the settings file. */ -}}
{{- define "exporter.singleAccount" -}}
{{- if and (eq (len .Values.accounts) 1) (not (omit (first .Values.accounts) "name" "key" "webhook_key")) }}true{{ end -}}
{{- end -}}

{{- /* The settings file; empty if it is not needed. */ -}}
{{- define "exporter.settings" -}}
{{- $settings := deepCopy .Values.settings -}}
{{- if not (include "exporter.singleAccount" .) -}}
{{- $accounts := list -}}
{{- range .Values.accounts -}}
{{- $file := dict "api_key_file" (printf "/etc/livepeer-session-exporter/key/%s" .key) -}}
{{- with .webhook_key -}}
{{- $_ := set $file "webhook_secret_file" (printf "/etc/livepeer-session-exporter/key/%s" .) -}}
{{- end -}}
{{- $accounts = append $accounts (merge $file (omit . "key" "webhook_key")) -}}
{{- end -}}
{{- $_ := set $settings "accounts" $accounts -}}
{{- end -}}
{{- if $settings }}{{ toYaml $settings }}{{ end -}}
{{- end -}}

{{- define "exporter.args" -}}
- --web.listen-address=:{{ .Values.web.port }}
{{- if .Values.web.configSecret }}
- --web.health-listen-address=:{{ .Values.web.healthPort }}
- --web.config.file=/etc/livepeer-session-exporter/web/{{ .Values.web.configKey }}
{{- end }}
{{- if include "exporter.settings" . }}
- --config.file=/etc/livepeer-session-exporter/settings/settings.yaml
{{- end }}
{{- if include "exporter.singleAccount" . }}
{{- with first .Values.accounts }}
- --api-key-file=/etc/livepeer-session-exporter/key/{{ .key }}
{{- if ne .name "default" }}
- {{ printf "--account=%s" .name | quote }}
{{- end }}
{{- with .webhook_key }}
- --webhook-secret-file=/etc/livepeer-session-exporter/key/{{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- if .Values.webhooks.enabled }}
- --webhook-listen-address=:{{ .Values.webhooks.port }}
{{- end }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "exporter.env" -}}
{{- if include "exporter.sharded" . -}}
# The pod's name; the exporter uses the number at its end.
- name: LIVEPEER_EXPORTER_SHARD_INDEX
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: LIVEPEER_EXPORTER_SHARD_COUNT
  value: {{ .Values.shards | quote }}
{{ end -}}
{{- with .Values.env }}
{{- toYaml . }}
{{- end }}
{{- end -}}

{{- define "exporter.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "exporter.volumeMounts" -}}
# The whole directory, because Kubernetes does not update a subPath mount when the Secret changes.
- name: livepeer-api-key
  mountPath: /etc/livepeer-session-exporter/key
  readOnly: true
{{- if include "exporter.settings" . }}
- name: settings
  mountPath: /etc/livepeer-session-exporter/settings
  readOnly: true
{{- end }}
{{- if .Values.web.configSecret }}
- name: web-config
  mountPath: /etc/livepeer-session-exporter/web
  readOnly: true
{{- end }}
{{- with .Values.volumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "exporter.volumes" -}}
- name: livepeer-api-key
  secret:
    secretName: {{ include "exporter.secretName" . }}
    defaultMode: 0440
{{- if include "exporter.settings" . }}
- name: settings
  configMap:
    name: {{ include "exporter.fullname" . }}
{{- end }}
{{- if .Values.web.configSecret }}
- name: web-config
  secret:
    secretName: {{ .Values.web.configSecret }}
    defaultMode: 0440
{{- end }}
{{- with .Values.volumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* What the pods of the exporter and the pod of `helm test` have in common. */ -}}
{{- define "exporter.podSpec" -}}
serviceAccountName: {{ include "exporter.serviceAccountName" . }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- toYaml .Values.podSecurityContext | nindent 2 }}
volumes: {{- include "exporter.volumes" . | nindent 2 }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end -}}

{{- define "exporter.monitorLabels" -}}
{{ include "exporter.labels" . }}
{{- with .Values.monitoringLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "exporter.relabelings" -}}
# One job for all exporters, as the rules and dashboards expect.
- action: replace
  targetLabel: job
  replacement: livepeer-session-exporter
{{- with .Values.clusterLabel }}
- action: replace
  targetLabel: cluster
  replacement: {{ . | quote }}
{{- end }}
{{- with .Values.scrape.relabelings }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Limits per target; the exporter's own `max_series` is lower by default. */ -}}
{{- define "exporter.limits" -}}
sampleLimit: {{ max 250000 (mulf 1.25 (default 0 .Values.settings.max_series) | int) }}
labelLimit: 32
labelNameLengthLimit: 64
labelValueLengthLimit: 1024
{{- end -}}

{{- define "exporter.endpoint" -}}
path: {{ include "exporter.metricsPath" . }}
interval: {{ .Values.scrape.interval }}
scrapeTimeout: {{ .Values.scrape.timeout }}
relabelings: {{- include "exporter.relabelings" . | nindent 2 }}
{{- with .Values.scrape.metricRelabelings }}
metricRelabelings: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "exporter.endpointFields" (dict "endpoint" .Values.scrape.endpoint "case" "lower") }}
{{ . }}
{{- end }}
{{- end -}}

{{- /* Older operators, such as 0.79, accept the scheme in lower case for monitors and in upper case for ScrapeConfigs. */ -}}
{{- define "exporter.endpointFields" -}}
{{- $endpoint := deepCopy .endpoint -}}
{{- with $endpoint.scheme -}}
{{- $_ := set $endpoint "scheme" (ternary (upper .) (lower .) (eq $.case "upper")) -}}
{{- end -}}
{{- with $endpoint }}{{ toYaml . }}{{ end -}}
{{- end -}}
