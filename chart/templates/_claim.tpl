{{/*
The claim as it is to be rendered, as YAML (size, accessModes, and storageClassName where it is said), or
nothing. What of a live claim cannot be changed is rendered as it is; it goes on being rendered when
storage is switched off, since `helm rollback` would find it there and not take it back.
*/}}
{{- define "agenttier.claim" -}}
{{- $p := .Values.optional.storage.sqlite.persistence -}}
{{- $name := include "agenttier.claim-name" . -}}
{{- $wanted := eq (include "agenttier.mounted-claim" .) $name -}}
{{- $live := lookup "v1" "PersistentVolumeClaim" .Release.Namespace $name -}}
{{- if $live -}}
{{- $owner := $live.metadata.annotations | default dict -}}
{{- $ours := and (eq (get $owner "meta.helm.sh/release-name") .Release.Name) (eq (get $owner "meta.helm.sh/release-namespace") .Release.Namespace) -}}
{{- if $live.metadata.deletionTimestamp -}}
{{- if $wanted -}}
{{- fail (printf "\n\nThe claim %s is being deleted: the Pod could not start on it. Wait until it is gone (kubectl get pvc %s -n %s), then try again; to keep its data, set its volume's persistentVolumeReclaimPolicy to Retain now." $name $name .Release.Namespace) -}}
{{- end -}}
{{- else if $ours -}}
{{- include "agenttier.live-claim" (dict "live" $live "wanted" $wanted "persistence" $p "size" (include "agenttier.size" .)) -}}
{{- else if $wanted -}}
{{- include "agenttier.new-claim" . -}}
{{- end -}}
{{- else if $wanted -}}
{{- include "agenttier.new-claim" . -}}
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

{{/* Takes (live, wanted, persistence, size). */}}
{{- define "agenttier.live-claim" -}}
{{- $spec := .live.spec -}}
{{- $name := .live.metadata.name -}}
{{- $class := get $spec "storageClassName" | default "" -}}
{{- $shownClass := $class | default "no class" -}}
{{- $size := $spec.resources.requests.storage -}}
{{- if .wanted -}}
{{- with .persistence.storageClassName -}}
{{- $asked := ternary "" . (eq . "-") -}}
{{- if ne $asked $class -}}
{{- fail (printf "\n\noptional.storage.sqlite.persistence.storageClassName is %s, and the claim %s that is there has %s: the class of a claim cannot be changed. Leave it unset or set it to %s; to move the data, make a claim of the new class, copy the file with the Router scaled to 0, and set persistence.existingClaim." ($asked | default "- (no class)") $name $shownClass ($class | default "-")) -}}
{{- end -}}
{{- end -}}
{{- if .persistence.size -}}
{{- if gt (include "agenttier.guards.bytes" .size | float64) (include "agenttier.guards.bytes" $size | float64) -}}
{{- include "agenttier.check-growth" (dict "live" .live "from" $size "to" .size "class" $class) -}}
{{- $size = .size -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $claim := dict "size" $size "accessModes" $spec.accessModes -}}
{{- if hasKey $spec "storageClassName" -}}
{{- $_ := set $claim "storageClassName" $class -}}
{{- end -}}
{{- toYaml $claim -}}
{{- end -}}

{{/* The API server would refuse these in the middle of the upgrade. Takes (live, from, to, class). */}}
{{- define "agenttier.check-growth" -}}
{{- $name := .live.metadata.name -}}
{{- $problem := "" -}}
{{- if ne (get (.live.status | default dict) "phase") "Bound" -}}
{{- $problem = "it has no volume yet, and Kubernetes lets only a bound claim grow. Wait until it is bound, or delete it (it holds nothing)" -}}
{{- else if not .class -}}
{{- $problem = "it has no class, and only volumes that a class provisioned can grow" -}}
{{- else -}}
{{- $found := lookup "storage.k8s.io/v1" "StorageClass" "" .class -}}
{{- if not $found -}}
{{- $problem = printf "its class %s is not there any more, and says no more whether volumes can grow" .class -}}
{{- else if not $found.allowVolumeExpansion -}}
{{- $problem = printf "its class %s does not allow volumes to grow (allowVolumeExpansion)" .class -}}
{{- end -}}
{{- end -}}
{{- with $problem -}}
{{- fail (printf "\n\noptional.storage.sqlite.persistence.size is %s, and the claim %s that is there has %s: %s. Leave the size unset or set it to %s." $.to $name $.from . $.from) -}}
{{- end -}}
{{- end -}}
