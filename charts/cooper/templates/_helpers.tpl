{{/* Names follow the release, so that a release called karpenter keeps the ServiceAccount that IAM roles trust. */}}
{{- define "cooper.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if .Values.nameOverride -}}
{{- printf "%s-%s" .Release.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "cooper.name" -}}
{{- .Values.nameOverride | default "cooper" | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "cooper.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "cooper.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "cooper.selectorLabels" -}}
app.kubernetes.io/name: {{ include "cooper.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of every object. */}}
{{- define "cooper.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "cooper.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.additionalLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The first of a list that is set: false and 0 count, null and "" do not. */}}
{{- define "cooper.firstSet" -}}
{{- $found := "" -}}
{{- range . -}}
{{- if and (eq $found "") (not (kindIs "invalid" .)) -}}
{{- if or (kindIs "map" .) (kindIs "slice" .) -}}
{{- $found = toJson . -}}
{{- else -}}
{{- $found = toString . -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $found -}}
{{- end -}}

{{- define "cooper.clusterName" -}}
{{- $settings := .Values.settings | default dict -}}
{{- $aws := $settings.aws | default dict -}}
{{- include "cooper.firstSet" (list .Values.clusterName $settings.clusterName $aws.clusterName) -}}
{{- end -}}

{{- define "cooper.logLevel" -}}
{{- $level := .Values.controller.logLevel | default .Values.logLevel | default "info" -}}
{{- if has $level (list "dpanic" "panic" "fatal") -}}error{{- else -}}{{- $level -}}{{- end -}}
{{- end -}}

{{- define "cooper.image" -}}
{{- $image := .Values.controller.image -}}
{{- if kindIs "string" $image -}}
{{- $image -}}
{{- else if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository ($image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The ConfigMap with the user's prices: one that is there already, or the chart's own; nothing without prices. */}}
{{- define "cooper.pricesConfigMap" -}}
{{- if and .Values.pricesConfigMap .Values.prices -}}
{{- fail "prices and pricesConfigMap are both set: keep the prices in one of them" -}}
{{- end -}}
{{- if .Values.pricesConfigMap -}}
{{- .Values.pricesConfigMap -}}
{{- else if .Values.prices -}}
{{- include "cooper.fullname" . }}-prices
{{- end -}}
{{- end -}}

{{/* Settings that are given somewhere, as environment variables. v0.16's key first, then later ones. */}}
{{- define "cooper.env" -}}
{{- $values := .Values -}}
{{- $settings := .Values.settings | default dict -}}
{{- $aws := $settings.aws | default dict -}}
{{- $clusterName := include "cooper.clusterName" . -}}
{{- if not $clusterName -}}
{{- fail "clusterName is missing: Cooper marks everything that it launches with the cluster's name; set --set clusterName=NAME" -}}
{{- end -}}
{{- $rows := list
  (list "CLUSTER_NAME" $clusterName)
  (list "CLUSTER_ENDPOINT" $values.clusterEndpoint $settings.clusterEndpoint $aws.clusterEndpoint)
  (list "CLUSTER_CA_BUNDLE" $settings.clusterCABundle $aws.clusterCABundle)
  (list "SERVICE_CIDR" $settings.serviceCidr)
  (list "AWS_REGION" $values.aws.region $settings.region)
  (list "AWS_DEFAULT_INSTANCE_PROFILE" $values.aws.defaultInstanceProfile $settings.defaultInstanceProfile $aws.defaultInstanceProfile)
  (list "BATCH_MAX_DURATION" $settings.batchMaxDuration $values.controller.batchMaxDuration)
  (list "BATCH_IDLE_DURATION" $settings.batchIdleDuration $values.controller.batchIdleDuration)
  (list "REGISTRATION_TTL" $settings.registrationTtl)
  (list "SURGE_SINGLE_REPLICAS" $values.controller.surgeSingleReplicas)
  (list "VM_MEMORY_OVERHEAD" $settings.vmMemoryOverheadPercent $aws.vmMemoryOverheadPercent)
  (list "AWS_ENI_LIMITED_POD_DENSITY" $settings.enableENILimitedPodDensity $aws.enableENILimitedPodDensity)
  (list "AWS_ENABLE_POD_ENI" $settings.enablePodENI $aws.enablePodENI)
  (list "AWS_PREFIX_DELEGATION" $settings.prefixDelegation)
  (list "AWS_RESERVED_ENIS" $settings.reservedENIs $aws.reservedENIs)
  (list "AWS_TAGS" $settings.tags $aws.tags)
  (list "PRICES_FILE" (empty (include "cooper.pricesConfigMap" .) | ternary "" "/etc/cooper/prices.json"))
  (list "INTERRUPTION_QUEUE" $settings.interruptionQueue $settings.interruptionQueueName $aws.interruptionQueueName)
  (list "LOG_LEVEL" (include "cooper.logLevel" .))
  (list "METRICS_PORT" $values.controller.metrics.port)
  (list "HEALTH_PROBE_PORT" $values.controller.healthProbe.port)
  (list "LEADER_ELECTION" $values.controller.leaderElection)
  (list "LEADER_ELECTION_NAME" (include "cooper.fullname" .))
-}}
{{- range $rows -}}
{{- $value := include "cooper.firstSet" (rest .) -}}
{{- if ne $value "" }}
- name: {{ first . }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
{{- end -}}
