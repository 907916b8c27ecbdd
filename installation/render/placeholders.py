"""What stands in objects for a value that is known only when the chart is rendered, and what takes its place. Pure."""

import re
from typing import Final

from installation.options import MOST_REPLICAS, PullPolicy
from installation.podsecurity import any_dot, repository
from proa.doors import IstioGrpc
from proa.mesh import MeshConfiguration
from proa.programming import ByNode
from proa.upstreams import ConfigMapRoots, KubernetesAuth

REVISION: Final = "revision-of-values"
IMAGE: Final = "image.of/values:1"
INIT_IMAGE: Final = "init.image.of/values:1"
CNI_CONF_DIR: Final = "/cni-conf-dir/of-values"
CNI_BIN_DIR: Final = "/cni-bin-dir/of-values"
TRUST_DOMAIN: Final = "trust-domain.of-values"
AUDIENCE: Final = "audience.of-values"
VAULT_AUDIENCE: Final = "token-of-vault.of-values"
VAULT_CA: Final = "vault-ca.of-values"
VAULT_PORT: Final = 65535
PULL_POLICY: Final = PullPolicy.NEVER
REPLICAS: Final = MOST_REPLICAS
MESH: Final = "@mesh@"


def filled(body: str) -> str:
    """*body* with an expression for each value that stood for one."""
    for pattern, expression in _FILLED:
        body = re.sub(pattern, expression, body)
    return body


_NODE: Final = ByNode()
_TRUST_DOMAIN_DEFAULT: Final = MeshConfiguration().trust_domain
_VAULT: Final = '"authority" "upstream"'
_FIRST_AUDIENCE: Final = IstioGrpc().audiences[0]
_FILLED: Final = (
    (rf"(?m)(: |- ){REVISION}$", r"\1{{ .Values.revision | quote }}"),
    (rf"\[{REVISION}\]", "[{{ .Values.revision | quote }}]"),
    (REVISION, "{{ .Values.revision }}"),
    (re.escape(f"image: {IMAGE}"), "image: {{ .Values.image | quote }}"),
    (re.escape(any_dot(repository(INIT_IMAGE))), '{{ include "proa.initRepository" . }}'),
    (re.escape(CNI_CONF_DIR), f'{{{{ dig "interception" "cniConfDir" "{_NODE.cni_conf_dir}" .Values.mesh }}}}'),
    (re.escape(CNI_BIN_DIR), f'{{{{ dig "interception" "cniBinDir" "{_NODE.cni_bin_dir}" .Values.mesh }}}}'),
    (re.escape(TRUST_DOMAIN), f'{{{{ dig "trustDomain" "{_TRUST_DOMAIN_DEFAULT}" .Values.mesh }}}}'),
    (
        re.escape(AUDIENCE),
        f'{{{{ dig "authority" "istio" "audiences" (list "{_FIRST_AUDIENCE}") .Values.mesh | first | quote }}}}',
    ),
    (
        re.escape(VAULT_AUDIENCE),
        f'{{{{ dig {_VAULT} "auth" "audience" "{KubernetesAuth().audience}" .Values.mesh | quote }}}}',
    ),
    (re.escape(VAULT_CA), f'{{{{ dig {_VAULT} "ca" "name" "{ConfigMapRoots().name}" .Values.mesh }}}}'),
    (
        rf"port: {VAULT_PORT}",
        f'port: {{{{ regexFind ":[0-9]+" (dig {_VAULT} "server" "" .Values.mesh) | trimPrefix ":" | default 443 }}}}',
    ),
    (re.escape(f"imagePullPolicy: {PULL_POLICY}"), "imagePullPolicy: {{ .Values.pullPolicy }}"),
    (re.escape(f"replicas: {REPLICAS}"), 'replicas: {{ include "proa.replicas" . }}'),
    (rf"    {MESH}\n", '    {{- include "proa.mesh" . | nindent 4 }}\n'),
)
