import pytest

from suresam.client.grpc_call import interact_message
from suresam.errors import InvalidRequest


def test_a_stream_takes_prompts_alone():
    with pytest.raises(InvalidRequest, match="what the iterator gave is no suresam"):
        interact_message((280, 160))
