"""Prints config.pbtxt files as JSON, read by Triton's published protobuf: SERVING/bin/python triton_client.py FILE…"""

import json
import sys
from pathlib import Path

from google.protobuf import json_format, text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

read = [text_format.Parse(Path(path).read_text("utf-8"), ModelConfig()) for path in sys.argv[1:]]
print(json.dumps([json_format.MessageToDict(one, preserving_proto_field_name=True) for one in read]))
