{{/* Labels of everything; called with the root. */}}
{{- define "stream-rec.labels" -}}
app.kubernetes.io/name: stream-rec
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* Labels by which the pods of one role are found; called with (dict "root" $ "role" "worker"). */}}
{{- define "stream-rec.selector" -}}
app.kubernetes.io/name: stream-rec
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .role }}
{{- end }}

{{/* What a role's resources are called. */}}
{{- define "stream-rec.name" -}}
{{- $base := ternary .root.Release.Name (printf "%s-stream-rec" .root.Release.Name) (contains "stream-rec" .root.Release.Name) -}}
{{ printf "%s-%s" ($base | trunc 40 | trimSuffix "-") .role }}
{{- end }}

{{- define "stream-rec.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (include "stream-rec.name" (dict "root" . "role" "account")) }}
{{- end }}

{{/* One value of a settings file; numbers of YAML are written without a dot, tables in one line. */}}
{{- define "stream-rec.toml" -}}
{{- if kindIs "map" . -}}
{ {{- $first := true }}{{ range $key, $value := . }}{{ if not $first }}, {{ end }}{{ $first = false }}{{ $key | toJson }} = {{ include "stream-rec.toml" $value }}{{ end -}} }
{{- else -}}
{{ . | toJson }}
{{- end -}}
{{- end }}

{{- define "stream-rec.settings" -}}
{{- range $section, $values := .Values.settings }}
[{{ $section }}]
{{- range $key, $value := $values }}
{{ $key }} = {{ include "stream-rec.toml" $value }}
{{- end }}
{{ end }}
{{- end }}

{{/* Settings of a pod: it starts anew when they change. */}}
{{- define "stream-rec.annotations" -}}
checksum/settings: {{ include "stream-rec.settings" .root | sha256sum }}
{{- if and .port (not .root.Values.podMonitor.enabled) }}
prometheus.io/scrape: "true"
prometheus.io/port: {{ .port | quote }}
{{- end }}
{{- end }}

{{/* What all pods have in common; called with root, role, and values of the role. */}}
{{- define "stream-rec.pod" -}}
serviceAccountName: {{ include "stream-rec.serviceAccount" .root }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What all containers have in common. */}}
{{- define "stream-rec.container" -}}
image: "{{ .root.Values.image.repository }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}"
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
resources:
  {{- toYaml .values.resources | nindent 2 }}
{{- end }}

{{/* Not empty where processes log in with tokens of an OIDC provider; called with the root. */}}
{{- define "stream-rec.usesTokens" -}}
{{- if and .Values.login.enabled (eq (.Values.settings.kafka.sasl_mechanism | default "") "OAUTHBEARER") }}true{{ end }}
{{- end }}

{{/* Variables: the settings file, who this is, and how it gets in. */}}
{{- define "stream-rec.env" -}}
- name: STREAM_REC_CONFIG
  value: /etc/stream-rec/stream-rec.toml
{{- if .root.Values.login.enabled }}
{{- $user := get .root.Values.login.users .login }}
{{- $uses := ternary "OAUTH_CLIENT_ID OAUTH_CLIENT_SECRET" "SASL_USERNAME SASL_PASSWORD" (eq (include "stream-rec.usesTokens" .root) "true") | splitList " " }}
- name: STREAM_REC_KAFKA_{{ index $uses 0 }}
  value: {{ $user | quote }}
- name: STREAM_REC_KAFKA_{{ index $uses 1 }}
  valueFrom:
    secretKeyRef:
      name: {{ $user }}
      key: {{ .root.Values.login.passwordKey }}
{{- if .root.Values.login.caSecret }}
- name: STREAM_REC_KAFKA_SSL_CAFILE
  value: /etc/stream-rec-kafka/{{ .root.Values.login.caKey }}
{{- with .root.Values.login.tokenCaKey }}
- name: STREAM_REC_KAFKA_OAUTH_CAFILE
  value: /etc/stream-rec-kafka/{{ . }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- define "stream-rec.mounts" -}}
- name: settings
  mountPath: /etc/stream-rec
  readOnly: true
- name: tmp
  mountPath: /tmp
{{- if and .root.Values.login.enabled .root.Values.login.caSecret }}
- name: kafka-ca
  mountPath: /etc/stream-rec-kafka
  readOnly: true
{{- end }}
{{- end }}

{{- define "stream-rec.volumes" -}}
- name: settings
  configMap:
    name: {{ include "stream-rec.name" (dict "root" .root "role" "settings") }}
- name: tmp
  emptyDir:
    sizeLimit: 256Mi
{{- if and .root.Values.login.enabled .root.Values.login.caSecret }}
- name: kafka-ca
  secret:
    secretName: {{ .root.Values.login.caSecret }}
{{- end }}
{{- end }}

{{/* Alive: its loop turns. Ready: it does what it is for; a new worker reads first, which may take minutes. */}}
{{- define "stream-rec.probes" -}}
startupProbe:
  httpGet: {path: /healthz, port: {{ .portName }}}
  periodSeconds: 5
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /healthz, port: {{ .portName }}}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: {{ .portName }}}
  periodSeconds: 5
  timeoutSeconds: 5
{{- end }}

{{/* By which the pods of a StatefulSet have names, and Prometheus finds them. */}}
{{- define "stream-rec.telemetryService" -}}
apiVersion: v1
kind: Service
metadata:
  name: {{ include "stream-rec.name" . }}
  labels:
    {{- include "stream-rec.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
spec:
  clusterIP: None
  publishNotReadyAddresses: true
  selector:
    {{- include "stream-rec.selector" . | nindent 4 }}
  ports:
    - name: telemetry
      port: {{ .port }}
{{- end }}

{{- define "stream-rec.disruptionBudget" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "stream-rec.name" . }}
  labels:
    {{- include "stream-rec.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .role }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "stream-rec.selector" . | nindent 6 }}
{{- end }}
