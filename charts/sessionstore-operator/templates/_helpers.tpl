{{/*
The name of all objects: that of the release, if it says what this is.
*/}}
{{- define "sessionstore-operator.name" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" (.Release.Name | trunc 30 | trimSuffix "-") .Chart.Name -}}
{{- end -}}
{{- end -}}

{{/*
By these the pods are found. The name is fixed: the NetworkPolicies of members let the operator in
by it and by its namespace.
*/}}
{{- define "sessionstore-operator.selector" -}}
app.kubernetes.io/name: sessionstore-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{/*
Of all objects. Not managed-by: sessionstore-operator, which marks what the operator makes.
*/}}
{{- define "sessionstore-operator.labels" -}}
app.kubernetes.io/name: sessionstore-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "sessionstore-operator.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}

{{- define "sessionstore-operator.api-image" -}}
{{ .Values.defaultImages.api | default (printf "ghcr.io/sessionstore/sessionstore:%s" .Chart.AppVersion) }}
{{- end -}}

{{- define "sessionstore-operator.service-account" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "sessionstore-operator.name" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}
