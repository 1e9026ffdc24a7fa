{{/* The name of all that belongs to a release: the chart's, or with the release's name before it. */}}
{{- define "qscope.name" -}}
{{- $chart := .Values.nameOverride | default .Chart.Name -}}
{{- if contains $chart .Release.Name -}}
{{- .Release.Name | trunc 54 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $chart | trunc 54 | trimSuffix "-" -}}
{{- end -}}
{{- end }}

{{- define "qscope.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "qscope.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "qscope.name" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end }}

{{/* Of pods that serve. */}}
{{- define "qscope.selectorLabels" -}}
app.kubernetes.io/name: {{ include "qscope.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Of the job's pods, which are nobody's endpoints. */}}
{{- define "qscope.migrateSelectorLabels" -}}
app.kubernetes.io/name: {{ include "qscope.name" . }}-migrate
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "qscope.commonLabels" -}}
app.kubernetes.io/part-of: qscope
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "qscope.http" -}}
{{- if or .Values.http.enabled .Values.serviceMonitor.enabled }}true{{ end -}}
{{- end }}

{{/* The variables as a map in YAML: those of the values, and those that follow from what the chart mounts and opens. */}}
{{- define "qscope.variables" -}}
{{- $own := dict
  "QSCOPE_DATABASE_URL_FILE" "/etc/qscope/database/url"
  "QSCOPE_KEYRING_FILE" "/etc/qscope/keyring/qscope.keyring.json"
  "QSCOPE_GRPC_LISTEN" "0.0.0.0:50051"
  "QSCOPE_TLS_CERT_FILE" "/etc/qscope/tls/tls.crt"
  "QSCOPE_TLS_KEY_FILE" "/etc/qscope/tls/tls.key" -}}
{{- if include "qscope.http" . -}}
{{- $_ := set $own "QSCOPE_HTTP_LISTEN" (printf "0.0.0.0:%v" .Values.http.port) -}}
{{- end -}}
{{- /* A number of a values file is a float: as JSON it keeps its digits, as a string it gets an exponent. */ -}}
{{- range $name, $value := .Values.config -}}
{{- $_ := set $own $name (kindIs "string" $value | ternary $value (toJson $value)) -}}
{{- end -}}
{{- toYaml $own -}}
{{- end }}

{{- define "qscope.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "qscope.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "qscope.egress" -}}
- ports:
    - { protocol: UDP, port: 53 }
    - { protocol: TCP, port: 53 }
- ports:
    {{- range .Values.networkPolicy.databasePorts }}
    - { protocol: TCP, port: {{ . }} }
    {{- end }}
{{- with .Values.networkPolicy.extraEgress }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* What the job runs. Its hash is part of the job's name, for a job cannot be changed. */}}
{{- define "qscope.migratePodSpec" -}}
restartPolicy: Never
serviceAccountName: {{ include "qscope.serviceAccountName" . }}
automountServiceAccountToken: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
securityContext: {{- include "qscope.podSecurityContext" . | nindent 2 }}
containers:
  - name: migrate
    image: {{ include "qscope.image" . }}
    {{- with .Values.image.pullPolicy }}
    imagePullPolicy: {{ . }}
    {{- end }}
    args: ["migrate", "up"]
    envFrom:
      - configMapRef:
          name: {{ include "qscope.name" . }}
    resources: {{- toYaml .Values.migrate.resources | nindent 6 }}
    securityContext: {{- include "qscope.securityContext" . | nindent 6 }}
    volumeMounts:
      - { name: database, mountPath: /etc/qscope/database, readOnly: true }
      {{- with .Values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
volumes:
  - name: database
    secret:
      secretName: {{ .Values.secrets.database }}
      defaultMode: 0440
  {{- with .Values.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
