"""What the document cannot say to schemathesis: how to bring the key along, and which refusals valid data may meet."""

import os

import schemathesis

KEY = os.environ.get("RAINCHECK_KEY")

if KEY:

    # As a provider and not as a header of every request: so it is known to be the credential that counts, whatever
    # tokens are generated beside it (any credential that grants wins), and it is left out where one must be missing.
    @schemathesis.auth()
    class Key:
        def get(self, case, context):
            return KEY

        def set(self, case, data, context):
            case.headers = case.headers or {}
            case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def filter_query(context, query):
    """An empty list and a list of an empty word are one text, `links=`: it cannot be both right and wrong."""
    links = query.get("links") if query else None
    words = links if isinstance(links, list) else [links]
    return links is None or all(str(word).strip(" ,") for word in words) and words != []


@schemathesis.check
def valid_input_is_never_called_invalid(ctx, response, case):
    """422 is the end of an operation that failed, and a key that was reused; valid data may meet both, but not this."""
    meta = case.meta
    if meta is None or not meta.generation.mode.is_positive or response.status_code != 422:
        return
    problem = response.json()
    # Where the server lets itself be sent is no matter of shape: a good URL may still lead inside.
    if [error.get("pointer") for error in problem.get("errors", [])] == ["/url"]:
        return
    code = problem.get("code")
    assert code != "invalid-input", f"valid data was called invalid: {response.text}"
