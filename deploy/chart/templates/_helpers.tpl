{{- define "headroom.selector" -}}
app.kubernetes.io/name: headroom
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "headroom.labels" -}}
{{ include "headroom.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
{{- end }}

{{- define "headroom.image" -}}
{{- $image := .Values.image -}}
{{- $repository := required "image.repository: required: registry and name of an image with headroom-extender and headroom-advisor; see docs/operations.md" $image.repository -}}
{{- if $image.digest }}{{ $repository }}@{{ $image.digest }}{{ else }}{{ $repository }}:{{ $image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- /* EKS adds -eks-... to the upstream version. */ -}}
{{- define "headroom.schedulerImage" -}}
{{- $image := .Values.scheduler.image -}}
{{- $version := regexFind "^v[0-9]+[.][0-9]+[.][0-9]+" .Capabilities.KubeVersion.Version -}}
{{- if $image.digest }}{{ $image.repository }}@{{ $image.digest }}{{ else }}{{ $image.repository }}:{{ $image.tag | default $version }}{{ end }}
{{- end }}

{{- define "headroom.tls" -}}
{{- $tls := .Values.advisor.tls -}}
{{- if and $tls.secretName $tls.certManager.enabled -}}
{{- fail "advisor.tls: secretName names a Secret that is there, certManager.enabled has one made: give one of both" -}}
{{- end -}}
{{- if $tls.certManager.enabled }}{{ .Release.Name }}-advisor-tls{{ else }}{{ $tls.secretName }}{{ end }}
{{- end }}

{{- /* The configurations: what the chart knows, and over it what the values say. */ -}}
{{- define "headroom.kubeSchedulerConfig" -}}
{{- $extender := dict
  "urlPrefix" "http://127.0.0.1:9270/v1"
  "filterVerb" "filter"
  "nodeCacheCapable" true
  "httpTimeout" "200ms"
  "ignorable" .Values.scheduler.ignorable -}}
{{- $election := dict
  "leaderElect" true
  "resourceLock" "leases"
  "resourceName" (printf "%s-scheduler" .Release.Name)
  "resourceNamespace" .Release.Namespace -}}
{{- $config := dict
  "apiVersion" "kubescheduler.config.k8s.io/v1"
  "kind" "KubeSchedulerConfiguration"
  "leaderElection" $election
  "profiles" (list (dict "schedulerName" .Values.scheduler.name))
  "extenders" (list $extender) -}}
{{- mergeOverwrite $config (deepCopy .Values.scheduler.config) | toYaml -}}
{{- end }}

{{- define "headroom.extenderConfig" -}}
{{- $config := dict -}}
{{- if .Values.advisor.enabled -}}
{{- $tls := include "headroom.tls" . -}}
{{- $host := printf "%s-advisor.%s.svc:9280" .Release.Name .Release.Namespace -}}
{{- $feed := dict "endpoint" (printf "%s://%s" (ternary "http" "https" (empty $tls)) $host) -}}
{{- if $tls }}{{ $_ := set $feed "ca_file" "/etc/headroom/ca/ca.crt" }}{{ end -}}
{{- $_ := set $config "feed" $feed -}}
{{- end -}}
{{- mergeOverwrite $config (deepCopy .Values.extender.config) | toYaml -}}
{{- end }}

{{- define "headroom.advisorConfig" -}}
{{- $given := deepCopy .Values.advisor.config -}}
{{- $name := .Values.clusterName | default $given.cluster_name -}}
{{- $config := dict
  "cluster_name" (required "clusterName: required: the EKS cluster's name, as in the tag kubernetes.io/cluster/<name>" $name)
  "leader_election" (dict "namespace" .Release.Namespace "name" (printf "%s-advisor" .Release.Name))
  "history" (dict "path" "/var/lib/headroom/history.redb") -}}
{{- if dig "cloudwatch" "enabled" false $given -}}
{{- $_ := set $config "cloudwatch" (dict "spool_file" "/var/lib/headroom/spool.redb") -}}
{{- end -}}
{{- if include "headroom.tls" . -}}
{{- $_ := set $config "tls" (dict "cert_file" "/etc/headroom/tls/tls.crt" "key_file" "/etc/headroom/tls/tls.key") -}}
{{- end -}}
{{- mergeOverwrite $config $given | toYaml -}}
{{- end }}

{{- /* observe, advise or act. */ -}}
{{- define "headroom.permissionsOf" -}}
{{- $mode := .Values.advisor.permissionsOf | default (dig "scaling" "mode" "observe" .Values.advisor.config) -}}
{{- if not (has $mode (list "observe" "advise" "act")) -}}
{{- fail (printf "advisor.config.scaling.mode: '%v' is not observe, advise or act" $mode) -}}
{{- end -}}
{{- $mode -}}
{{- end }}

{{- define "headroom.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "headroom.containerSecurityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- /* Spread as a wish: a spread that must hold would keep the advisor from ever emptying the node. */ -}}
{{- define "headroom.spread" -}}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "headroom.selector" $ | nindent 6 }}
{{- end }}
{{- end }}

{{- /* The Secret with the CA by which extenders know the advisor. */ -}}
{{- define "headroom.feedCa" -}}
{{- if .Values.advisor.enabled }}{{ include "headroom.tls" . }}{{ end }}
{{- end }}
