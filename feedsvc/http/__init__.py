"""The one client for what we ask of others: honest, bounded, patient, and discreet with secrets (RFC 9110, RFC 9112).

Honest: it says who asks. Bounded: an answer has a deadline, a size, a length of line; few questions are under way at one
host. Patient: a fault that may pass is asked again after growing, jittered pauses; a refusal (401, 403, 429) never is, but
for a token that was kept and is good no more: the question is put once more with a new one. Who pays for each request asks
`once`, and is told when it takes another.
Discreet: credentials go to the host they are meant for and nowhere else, and no error, log or `repr` shows them.

Proxies of the environment (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`) are used, as many a SOC has no other way
out; loopback is never asked through one. `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured, certificates are always verified;
`.netrc` and cookies are not used. Redirects are followed on the same host alone.

It GETs and POSTs, and knows no provider, no quota and no format beyond lines.
"""

from feedsvc.http.answer import Answer
from feedsvc.http.client import Client, Ready
from feedsvc.http.credentials import Credentials, api_key, basic, query_key
from feedsvc.http.discretion import OPEN, Discretion, shown
from feedsvc.http.faults import AnswerIsMarkup, AnswerTooBig, AskFurther, HttpError, LoginFailed, stay_until
from feedsvc.http.limits import Limits
from feedsvc.http.request import Login, Request, Token

__all__ = [
    "OPEN",
    "Answer",
    "AnswerIsMarkup",
    "AnswerTooBig",
    "AskFurther",
    "Client",
    "Credentials",
    "Discretion",
    "HttpError",
    "Limits",
    "Login",
    "LoginFailed",
    "Ready",
    "Request",
    "Token",
    "api_key",
    "basic",
    "query_key",
    "shown",
    "stay_until",
]
