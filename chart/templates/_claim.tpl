{{/*
The claim as it is to be rendered, as YAML (size, accessModes, and storageClassName where it is said), or
nothing. With existingClaim none is made, whatever that is called. What of a live claim cannot be changed
is rendered as it is; it goes on being rendered when storage is switched off, since `helm rollback` would
find it there and not take it back. What cannot be had of a live claim is refused by the guards.

Whether the class is said is settled when the claim is made: where it is not, Kubernetes fills in its
default, and saying that later would make a rollback to the first revision take it away again, which is
refused. The claim itself remembers it, by an annotation.
*/}}
{{- define "agenttier.claim" -}}
  {{- $wanted := include "agenttier.mounts-own-claim" . -}}
  {{- $live := include "agenttier.live-claim" . | fromYaml -}}
  {{- if and $live (include "agenttier.is-ours" (dict "root" . "object" $live)) -}}
    {{- if not $live.metadata.deletionTimestamp -}}
      {{- include "agenttier.kept-claim" (dict "root" . "live" $live "wanted" $wanted) -}}
    {{- end -}}
  {{- else if $wanted -}}
    {{- include "agenttier.new-claim" . -}}
  {{- end -}}
{{- end -}}

{{/* Whether the Pod mounts the chart's own claim, as such: one that existingClaim names is the user's, whoever made it. */}}
{{- define "agenttier.mounts-own-claim" -}}
  {{- if and (include "agenttier.mounted-claim" .) (not .Values.optional.storage.sqlite.persistence.existingClaim) -}}
    true
  {{- end -}}
{{- end -}}

{{/*
Whether Helm leaves the claim when the release goes. retain=false is about the claim in use: of one that is only
still there, with storage off or elsewhere, nobody thinks at an uninstall; and one that existingClaim names is kept
whatever else is said.
*/}}
{{- define "agenttier.keeps-claim" -}}
  {{- if or .Values.optional.storage.sqlite.persistence.retain (not (include "agenttier.mounts-own-claim" .)) -}}
    true
  {{- end -}}
{{- end -}}

{{/* The claim of that name which is in the cluster, as YAML; nothing without one, or without a cluster. */}}
{{- define "agenttier.live-claim" -}}
  {{- with lookup "v1" "PersistentVolumeClaim" .Release.Namespace (include "agenttier.claim-name" .) -}}
    {{- toYaml . -}}
  {{- end -}}
{{- end -}}

{{/* Whether a live object belongs to this release. Takes (root, object). */}}
{{- define "agenttier.is-ours" -}}
  {{- $owner := .object.metadata.annotations | default dict -}}
  {{- $release := .root.Release -}}
  {{- if and (eq (toString (get $owner "meta.helm.sh/release-name")) $release.Name) (eq (toString (get $owner "meta.helm.sh/release-namespace")) $release.Namespace) -}}
    true
  {{- end -}}
{{- end -}}

{{/*
Whether a live object was made by this chart, in whatever release. A whole version: another copy in one release may
be called agenttier-2. Takes (root, object).
*/}}
{{- define "agenttier.is-of-chart" -}}
  {{- if regexMatch (printf `^%s-[0-9]+\.[0-9]+\.[0-9]+` .root.Chart.Name) (toString (get (.object.metadata.labels | default dict) "helm.sh/chart")) -}}
    true
  {{- end -}}
{{- end -}}

{{- define "agenttier.new-claim" -}}
  {{- $p := .Values.optional.storage.sqlite.persistence -}}
  {{- $claim := dict "size" (include "agenttier.size" .) "accessModes" (list $p.accessMode) -}}
  {{- with $p.storageClassName -}}
    {{- $_ := set $claim "storageClassName" (ternary "" . (eq . "-")) -}}
  {{- end -}}
  {{- toYaml $claim -}}
{{- end -}}

{{/* The live claim, and the larger of both sizes. Takes (root, live, wanted). */}}
{{- define "agenttier.kept-claim" -}}
  {{- $spec := .live.spec -}}
  {{- $size := $spec.resources.requests.storage -}}
  {{- if and .wanted .root.Values.optional.storage.sqlite.persistence.size -}}
    {{- $asked := include "agenttier.size" .root -}}
    {{- if gt (include "agenttier.quantity-bytes" $asked | float64) (include "agenttier.quantity-bytes" $size | float64) -}}
      {{- $size = $asked -}}
    {{- end -}}
  {{- end -}}
  {{- $claim := dict "size" $size "accessModes" $spec.accessModes -}}
  {{- $unsaid := eq (toString (get (.live.metadata.annotations | default dict) "agenttier.io/storage-class")) "cluster-default" -}}
  {{- if and (hasKey $spec "storageClassName") (not $unsaid) -}}
    {{- $_ := set $claim "storageClassName" ($spec.storageClassName | default "") -}}
  {{- end -}}
  {{- toYaml $claim -}}
{{- end -}}

{{/*
The class of the live claim that the Pod is to mount as the chart's own, where it has no volume yet and there is no
such class; else nothing. Not everybody may look for classes, and Helm ends where it may not: a deployer without
rights in the cluster is told from router.rbac.create.
*/}}
{{- define "agenttier.missing-class" -}}
  {{- $live := include "agenttier.live-claim" . | fromYaml -}}
  {{- if and .Values.router.rbac.create (include "agenttier.mounts-own-claim" .) $live (include "agenttier.is-ours" (dict "root" . "object" $live)) -}}
    {{- $class := get $live.spec "storageClassName" | default "" -}}
    {{- if and $class (ne (get ($live.status | default dict) "phase") "Bound") -}}
      {{- if not (lookup "storage.k8s.io/v1" "StorageClass" "" $class) -}}
        {{- $class -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/*
Claims of this chart in the namespace that other releases left behind, with their release, where these values make
a new one; else nothing. One whose Router is there is in use.
*/}}
{{- define "agenttier.left-claims" -}}
  {{- $left := list -}}
  {{- $own := include "agenttier.claim-name" . -}}
  {{- if and (include "agenttier.mounts-own-claim" .) (not (include "agenttier.live-claim" .)) -}}
    {{- range (lookup "v1" "PersistentVolumeClaim" .Release.Namespace "").items -}}
      {{- $name := .metadata.name -}}
      {{- $owner := get (.metadata.annotations | default dict) "meta.helm.sh/release-name" -}}
      {{- $isStorage := and (include "agenttier.is-of-chart" (dict "root" $ "object" .)) (hasSuffix "-router-storage" $name) (ne $name $own) -}}
      {{- if and $isStorage $owner (ne $owner $.Release.Name) (not .metadata.deletionTimestamp) -}}
        {{- if not (lookup "apps/v1" "Deployment" $.Release.Namespace (trimSuffix "-storage" $name)) -}}
          {{- $left = append $left (printf "%s (of release %s)" $name $owner) -}}
        {{- end -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
  {{- join ", " $left -}}
{{- end -}}

{{/* The path that the live Router has, where it is another file of the claim that these values mount; else nothing. */}}
{{- define "agenttier.former-file" -}}
{{- $claim := include "agenttier.mounted-claim" . -}}
{{- $live := lookup "apps/v1" "Deployment" .Release.Namespace (include "agenttier.router-name" .) -}}
{{- if and $claim $live (include "agenttier.is-ours" (dict "root" . "object" $live)) -}}
{{- $pod := (($live.spec).template).spec | default dict -}}
{{- $mounted := "" -}}
{{- range $pod.volumes -}}
{{- if eq .name "storage" -}}
{{- $mounted = (.persistentVolumeClaim).claimName -}}
{{- end -}}
{{- end -}}
{{- range concat ($pod.initContainers | default list) ($pod.containers | default list) -}}
{{- range .env -}}
{{- if and (eq .name "STORAGE_SQLITE_PATH") (eq (toString $mounted) $claim) (ne (base .value) (base $.Values.optional.storage.sqlite.path)) -}}
{{- .value -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
