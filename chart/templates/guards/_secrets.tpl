{{/*
Anything that looks like a DSN or a password, at any depth, in keys too. Takes (g, node, path). A URL is
one where it is a database's, or has a user in it; Go's form of a DSN has no scheme.
*/}}
{{- define "agenttier.guards.secrets" -}}
  {{- $g := .g -}}
  {{- $path := .path -}}
  {{- $secret := `(?i)\b(postgres(ql)?|mysql|mariadb)://|://[^/\s]*@|(password|passwd|pwd)\s*=|@[a-z0-9]*\(|(^|\s)[^/\s]*:\S*@/` -}}
  {{- if kindIs "map" .node -}}
    {{- range $key, $value := .node -}}
      {{- if regexMatch $secret $key -}}
        {{- include "agenttier.refuse" (list $g (printf "a key below %s looks like a DSN or a password (it is not shown): values are kept in the release and shown by `helm get values`. Put it into a Secret, set optional.storage.dsnSecret.name to its name, and change the password if this reached a log." $path)) -}}
      {{- else -}}
        {{- include "agenttier.guards.secrets" (dict "g" $g "node" $value "path" (printf "%s.%s" $path $key)) -}}
      {{- end -}}
    {{- end -}}
  {{- else if kindIs "slice" .node -}}
    {{- range $i, $value := .node -}}
      {{- include "agenttier.guards.secrets" (dict "g" $g "node" $value "path" (printf "%s[%d]" $path $i)) -}}
    {{- end -}}
  {{- else if kindIs "string" .node -}}
    {{- if regexMatch $secret .node -}}
      {{- if regexMatch `^optional\.storage\.sidecar\.(extraEnv|extraInitContainers\[[0-9]+\]\.env)\[` $path -}}
        {{- include "agenttier.refuse" (list $g (printf "%s looks like a DSN or a password (it is not shown): values are kept in the release and shown by `helm get values`. Put it into a Secret and name that with valueFrom.secretKeyRef in place of value (the database's DSN with optional.storage.dsnSecret.name), and change the password if this reached a log." $path)) -}}
      {{- else -}}
        {{- include "agenttier.refuse" (list $g (printf "%s looks like a DSN or a password (it is not shown): values are kept in the release and shown by `helm get values`. Put it into a Secret, set optional.storage.dsnSecret.name to its name, and change the password if this reached a log." $path)) -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
{{- end -}}

{{/* The value as a message may show it: one in the wrong place can be a secret. As the sidecar does. */}}
{{- define "agenttier.guards.shown" -}}
  {{- $text := toString . -}}
  {{- if and (regexMatch `^[\pL\pN _.:+/\[\]%,~-]{1,120}$` $text) (not (contains "://" $text)) -}}
    {{ $text }}
  {{- else if eq $text "" -}}
    empty
  {{- else -}}
    a text that is not shown
  {{- end -}}
{{- end -}}
