{{/* Before 1.36 a Service's name has to begin with a letter; a release's may begin with a digit. */}}
{{- define "agenttier.guards.base" -}}
  {{- $g := . -}}
  {{- $base := include "agenttier.base" $g.root -}}
  {{- $version := $g.root.Capabilities.KubeVersion.Version -}}
  {{- if and (regexMatch `^[0-9]` $base) (semverCompare "<1.36.0-0" $version) -}}
    {{- $from := ternary "fullnameOverride" "the release's name" (ne (toString ($g.root.Values.fullnameOverride | default "")) "") -}}
    {{- include "agenttier.refuse" (list $g (printf "%s begins with a digit, so the Services would be called %s-router and %s-router-ops: Kubernetes %s refuses a Service whose name does not begin with a letter (since 1.36 it takes one), and the rest of the release would stay behind. Set fullnameOverride to a name that does, as agenttier." $from $base $base $version)) -}}
  {{- end -}}
{{- end -}}

{{/* What Kubernetes or SQLite would refuse of the claim that the Pod mounts, in the middle of the upgrade. */}}
{{- define "agenttier.guards.live-claim" -}}
  {{- $g := . -}}
  {{- $root := $g.root -}}
  {{- $namespace := $root.Release.Namespace -}}
  {{- $p := $g.storage.sqlite.persistence -}}
  {{- $name := include "agenttier.mounted-claim" $root -}}
  {{- $live := dict -}}
  {{- if $name -}}
    {{- $live = lookup "v1" "PersistentVolumeClaim" $namespace $name -}}
  {{- end -}}
  {{- if $live -}}
    {{- $class := get $live.spec "storageClassName" | default "" -}}
    {{- if $live.metadata.deletionTimestamp -}}
      {{- include "agenttier.refuse" (list $g (printf "the claim %s is being deleted: the Pod could not start on it. Wait until it is gone (kubectl get pvc %s -n %s), then try again; to keep its data, set its volume's persistentVolumeReclaimPolicy to Retain now." $name $name $namespace)) -}}
    {{- else if $p.existingClaim -}}
      {{- $modes := $live.spec.accessModes | default list -}}
      {{- if or (has "ReadWriteMany" $modes) (not (or (has "ReadWriteOnce" $modes) (has "ReadWriteOncePod" $modes))) -}}
        {{- include "agenttier.refuse" (list $g (printf "optional.storage.sqlite.persistence.existingClaim is %s, a claim with the access modes %s: a SQLite file has one writer, on one node, and shared filesystems break its locks. Name a claim with ReadWriteOnce or ReadWriteOncePod; to have several Routers use postgres or mysql." $name (join ", " $modes))) -}}
      {{- end -}}
      {{- if eq (get $live.spec "volumeMode" | default "Filesystem") "Block" -}}
        {{- include "agenttier.refuse" (list $g (printf "optional.storage.sqlite.persistence.existingClaim is %s, a claim with volumeMode Block: it has no filesystem for the file, and the Pod would not start. Name a claim with volumeMode Filesystem." $name)) -}}
      {{- end -}}
    {{- else if include "agenttier.is-ours" (dict "root" $root "object" $live) -}}
      {{- $size := $live.spec.resources.requests.storage -}}
      {{- with $p.storageClassName -}}
        {{- $asked := ternary "" . (eq . "-") -}}
        {{- if ne $asked $class -}}
          {{- $otherwise := "to move the data, make a claim of the new class, copy the file with the Router scaled to 0, and set persistence.existingClaim" -}}
          {{- if ne (get ($live.status | default dict) "phase") "Bound" -}}
            {{- $otherwise = printf "or delete it (kubectl delete pvc %s -n %s), since it has no volume yet and holds nothing, and try again" $name $namespace -}}
          {{- end -}}
          {{- include "agenttier.refuse" (list $g (printf "optional.storage.sqlite.persistence.storageClassName is %s, and the claim %s that is there has %s: the class of a claim cannot be changed. Leave it unset or set it to %s; %s." ($asked | default "- (no class)") $name ($class | default "no class") ($class | default "-") $otherwise)) -}}
        {{- end -}}
      {{- end -}}
      {{- if and $p.size (gt (include "agenttier.quantity-bytes" $p.size | float64) (include "agenttier.quantity-bytes" $size | float64)) -}}
        {{- with include "agenttier.guards.no-growth" (dict "live" $live "class" $class) -}}
          {{- include "agenttier.refuse" (list $g (printf "optional.storage.sqlite.persistence.size is %s, and the claim %s that is there has %s: %s. Leave the size unset or set it to %s." (include "agenttier.size" $root) $name $size . $size)) -}}
        {{- end -}}
      {{- end -}}
    {{- else -}}
      {{- $annotations := $live.metadata.annotations | default dict -}}
      {{- $owner := get $annotations "meta.helm.sh/release-name" -}}
      {{- $from := get $annotations "meta.helm.sh/release-namespace" | default "unknown" -}}
      {{- $whose := ternary (printf "it is of release %s in namespace %s" $owner $from) "Helm did not make it" (ne (toString $owner) "") -}}
      {{- /* As a move to another namespace leaves it, by a backup tool or by hand. */ -}}
      {{- $move := printf "Take it over, if that release is gone (kubectl annotate pvc %s -n %s meta.helm.sh/release-namespace=%s --overwrite), set" $name $namespace $namespace -}}
      {{- $isMoved := and (eq (toString $owner) $root.Release.Name) (ne $from $namespace) -}}
      {{- include "agenttier.refuse" (list $g (printf "the claim %s is there already and is not of release %s in namespace %s (%s): Helm would refuse to take it over. %s optional.storage.sqlite.persistence.existingClaim=%s to use it as it is, or fullnameOverride to have another one." $name $root.Release.Name $namespace $whose (ternary $move "Set" $isMoved) $name)) -}}
    {{- end -}}
  {{- else if and $p.existingClaim $name $root.Release.IsUpgrade -}}
    {{- /* Every namespace has this account; where even it is not found there is no cluster to look into. */ -}}
    {{- if lookup "v1" "ServiceAccount" $namespace "default" -}}
      {{- include "agenttier.refuse" (list $g (printf "optional.storage.sqlite.persistence.existingClaim is %s, and namespace %s has no claim of that name: the old Pod would go, and the new one could not start. Correct the name (kubectl get pvc -n %s), or make the claim first." $name $namespace $namespace)) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/*
A claim of this release under another name, as after a change of fullnameOverride, or one that AgentTier's
full chart made: the history would begin anew on an empty claim, and an upgrade deletes what is not kept.
*/}}
{{- define "agenttier.guards.other-claim" -}}
  {{- $g := . -}}
  {{- $root := $g.root -}}
  {{- $namespace := $root.Release.Namespace -}}
  {{- $own := include "agenttier.claim-name" $root -}}
  {{- $live := include "agenttier.live-claim" $root | fromYaml -}}
  {{- if not (and $live (include "agenttier.is-ours" (dict "root" $root "object" $live))) -}}
    {{- range (lookup "v1" "PersistentVolumeClaim" $namespace "").items -}}
      {{- $name := .metadata.name -}}
      {{- $ours := and (include "agenttier.is-of-chart" (dict "root" $root "object" .)) (hasSuffix "-router-storage" $name) (ne $name $own) (include "agenttier.is-ours" (dict "root" $root "object" .)) -}}
      {{- if and $ours (not .metadata.deletionTimestamp) -}}
        {{- $kept := eq (toString (get .metadata.annotations "helm.sh/resource-policy")) "keep" -}}
        {{- $lost := and $root.Release.IsUpgrade (not $kept) -}}
        {{- $mark := printf "kubectl annotate pvc %s -n %s helm.sh/resource-policy=keep" $name $namespace -}}
        {{- if and (eq (include "agenttier.mounted-claim" $root) $own) (not $root.Values.optional.storage.sqlite.persistence.existingClaim) -}}
          {{- include "agenttier.refuse" (list $g (printf "release %s has the claim %s, and these values (fullnameOverride) make it %s: a new and empty one would be made, and the history would begin anew. %s optional.storage.sqlite.persistence.existingClaim=%s to go on with it, or set fullnameOverride back. To begin anew, take it from the release: kubectl annotate pvc %s -n %s meta.helm.sh/release-name- helm.sh/resource-policy=keep" $root.Release.Name $name $own (ternary (printf "Have it kept, since this upgrade would delete it (%s), and set" $mark) "Set" $lost) $name $name $namespace)) -}}
        {{- else if $lost -}}
          {{- include "agenttier.refuse" (list $g (printf "release %s has the claim %s, which is not marked to be kept and has another name than these values make (%s): this upgrade would delete it, with all records. Have it kept first: %s" $root.Release.Name $name $own $mark)) -}}
        {{- end -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/* What a Deployment selects its Pods by can never change, and Helm would change the Services before it. */}}
{{- define "agenttier.guards.selector" -}}
  {{- $g := . -}}
  {{- $root := $g.root -}}
  {{- $name := include "agenttier.router-name" $root -}}
  {{- $found := lookup "apps/v1" "Deployment" $root.Release.Namespace $name -}}
  {{- if and $found (include "agenttier.is-ours" (dict "root" $root "object" $found)) -}}
    {{- $live := (($found.spec).selector).matchLabels | default dict -}}
    {{- $selector := include "agenttier.selector" $root | fromYaml -}}
    {{- if ne (toJson $live) (toJson $selector) -}}
      {{- $key := "app.kubernetes.io/name" -}}
      {{- include "agenttier.refuse" (list $g (printf "nameOverride is %s, so that %s would select its Pods by %s=%s, and the Deployment that is there does by %s: Kubernetes lets no Deployment change that, and the upgrade would stop with Services that find no Pod. Set nameOverride=%s, or delete that Deployment first (kubectl delete deployment %s -n %s), which takes the Router away until the upgrade is through." ($root.Values.nameOverride | default "unset") $name $key (get $selector $key) (toJson $live) (get $live $key) $name $root.Release.Namespace)) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/* Why a live claim cannot grow, or nothing where it can. Takes (live, class). */}}
{{- define "agenttier.guards.no-growth" -}}
  {{- if ne (get (.live.status | default dict) "phase") "Bound" -}}
    it has no volume yet, and Kubernetes lets only a bound claim grow. Wait until it is bound, or delete it (it holds nothing)
  {{- else if not .class -}}
    it has no class, and only volumes that a class provisioned can grow
  {{- else -}}
    {{- $found := lookup "storage.k8s.io/v1" "StorageClass" "" .class -}}
    {{- if not $found -}}
      its class {{ .class }} is not there any more, and says no more whether volumes can grow
    {{- else if not $found.allowVolumeExpansion -}}
      its class {{ .class }} does not allow volumes to grow (allowVolumeExpansion)
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/*
An upgrade deletes what only the old chart renders, so of upstream's full chart nearly everything. A chart in
an umbrella takes nobody's place: the full chart may be in it too, and a subchart does not see its siblings.
*/}}
{{- define "agenttier.guards.upstream" -}}
  {{- $g := . -}}
  {{- $root := $g.root -}}
  {{- if and $root.Chart.IsRoot $root.Release.IsUpgrade (not $g.storage.upgrade.replaceUpstream) -}}
    {{- range $name := uniq (list (include "agenttier.guards.upstream-name" (dict "release" $root.Release.Name "values" $root.Values)) (include "agenttier.guards.upstream-name" (dict "release" $root.Release.Name "values" dict))) -}}
      {{- $found := lookup "apps/v1" "Deployment" $root.Release.Namespace (printf "%s-controller" $name) -}}
      {{- if $found -}}
        {{- $owner := get ($found.metadata.annotations | default dict) "meta.helm.sh/release-name" | default $root.Release.Name -}}
        {{- if eq $owner $root.Release.Name -}}
          {{- include "agenttier.refuse" (list $g (printf "release %s is an installation of the full AgentTier chart (its Deployment %s-controller is there), and optional.storage.upgrade.replaceUpstream is false: this upgrade would delete its controller, web UI and all else that this chart does not hold. Install this chart under another release name beside it, or set optional.storage.upgrade.replaceUpstream=true if that is meant." $root.Release.Name $name)) -}}
        {{- end -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/* How the full AgentTier chart (0.8) names its objects. Takes (release, values). */}}
{{- define "agenttier.guards.upstream-name" -}}
  {{- $name := .values.nameOverride | default "agenttier" -}}
  {{- $full := .values.fullnameOverride | default (ternary .release (printf "%s-%s" .release $name) (contains $name .release)) -}}
  {{- $full | trunc 63 | trimSuffix "-" -}}
{{- end -}}
