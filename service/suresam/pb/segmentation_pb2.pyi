from google.protobuf import empty_pb2 as _empty_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MaskFormat(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MASK_FORMAT_UNSPECIFIED: _ClassVar[MaskFormat]
    MASK_FORMAT_RLE: _ClassVar[MaskFormat]
    MASK_FORMAT_PNG: _ClassVar[MaskFormat]
    MASK_FORMAT_POLYGON: _ClassVar[MaskFormat]
    MASK_FORMAT_NONE: _ClassVar[MaskFormat]
MASK_FORMAT_UNSPECIFIED: MaskFormat
MASK_FORMAT_RLE: MaskFormat
MASK_FORMAT_PNG: MaskFormat
MASK_FORMAT_POLYGON: MaskFormat
MASK_FORMAT_NONE: MaskFormat

class Point(_message.Message):
    __slots__ = ("x", "y")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    x: float
    y: float
    def __init__(self, x: _Optional[float] = ..., y: _Optional[float] = ...) -> None: ...

class Box(_message.Message):
    __slots__ = ("x1", "y1", "x2", "y2")
    X1_FIELD_NUMBER: _ClassVar[int]
    Y1_FIELD_NUMBER: _ClassVar[int]
    X2_FIELD_NUMBER: _ClassVar[int]
    Y2_FIELD_NUMBER: _ClassVar[int]
    x1: float
    y1: float
    x2: float
    y2: float
    def __init__(self, x1: _Optional[float] = ..., y1: _Optional[float] = ..., x2: _Optional[float] = ..., y2: _Optional[float] = ...) -> None: ...

class Float16Array(_message.Message):
    __slots__ = ("height", "width", "data")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    height: int
    width: int
    data: bytes
    def __init__(self, height: _Optional[int] = ..., width: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class Prompt(_message.Message):
    __slots__ = ("points", "labels", "box", "mask_input", "prompt_id")
    POINTS_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    MASK_INPUT_FIELD_NUMBER: _ClassVar[int]
    PROMPT_ID_FIELD_NUMBER: _ClassVar[int]
    points: _containers.RepeatedCompositeFieldContainer[Point]
    labels: _containers.RepeatedScalarFieldContainer[int]
    box: Box
    mask_input: Float16Array
    prompt_id: str
    def __init__(self, points: _Optional[_Iterable[_Union[Point, _Mapping]]] = ..., labels: _Optional[_Iterable[int]] = ..., box: _Optional[_Union[Box, _Mapping]] = ..., mask_input: _Optional[_Union[Float16Array, _Mapping]] = ..., prompt_id: _Optional[str] = ...) -> None: ...

class RouteRequest(_message.Message):
    __slots__ = ("mode", "min_gain", "max_cost", "progressive")
    MODE_FIELD_NUMBER: _ClassVar[int]
    MIN_GAIN_FIELD_NUMBER: _ClassVar[int]
    MAX_COST_FIELD_NUMBER: _ClassVar[int]
    PROGRESSIVE_FIELD_NUMBER: _ClassVar[int]
    mode: str
    min_gain: float
    max_cost: float
    progressive: bool
    def __init__(self, mode: _Optional[str] = ..., min_gain: _Optional[float] = ..., max_cost: _Optional[float] = ..., progressive: _Optional[bool] = ...) -> None: ...

class UncertaintyRequest(_message.Message):
    __slots__ = ("methods", "maps")
    METHODS_FIELD_NUMBER: _ClassVar[int]
    MAPS_FIELD_NUMBER: _ClassVar[int]
    methods: _containers.RepeatedScalarFieldContainer[str]
    maps: bool
    def __init__(self, methods: _Optional[_Iterable[str]] = ..., maps: _Optional[bool] = ...) -> None: ...

class OutputRequest(_message.Message):
    __slots__ = ("masks", "low_res_logits", "min_region_area")
    MASKS_FIELD_NUMBER: _ClassVar[int]
    LOW_RES_LOGITS_FIELD_NUMBER: _ClassVar[int]
    MIN_REGION_AREA_FIELD_NUMBER: _ClassVar[int]
    masks: MaskFormat
    low_res_logits: bool
    min_region_area: int
    def __init__(self, masks: _Optional[_Union[MaskFormat, str]] = ..., low_res_logits: _Optional[bool] = ..., min_region_area: _Optional[int] = ...) -> None: ...

class SegmentOptions(_message.Message):
    __slots__ = ("multimask", "route", "uncertainty", "output")
    MULTIMASK_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    UNCERTAINTY_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    multimask: bool
    route: RouteRequest
    uncertainty: UncertaintyRequest
    output: OutputRequest
    def __init__(self, multimask: _Optional[bool] = ..., route: _Optional[_Union[RouteRequest, _Mapping]] = ..., uncertainty: _Optional[_Union[UncertaintyRequest, _Mapping]] = ..., output: _Optional[_Union[OutputRequest, _Mapping]] = ...) -> None: ...

class SegmentRequest(_message.Message):
    __slots__ = ("image", "session_id", "image_id", "prompts", "options", "deadline_ms")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    image: bytes
    session_id: str
    image_id: str
    prompts: _containers.RepeatedCompositeFieldContainer[Prompt]
    options: SegmentOptions
    deadline_ms: float
    def __init__(self, image: _Optional[bytes] = ..., session_id: _Optional[str] = ..., image_id: _Optional[str] = ..., prompts: _Optional[_Iterable[_Union[Prompt, _Mapping]]] = ..., options: _Optional[_Union[SegmentOptions, _Mapping]] = ..., deadline_ms: _Optional[float] = ...) -> None: ...

class UploadAndSegmentHeader(_message.Message):
    __slots__ = ("options", "deadline_ms", "image_bytes")
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    IMAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    options: SegmentOptions
    deadline_ms: float
    image_bytes: int
    def __init__(self, options: _Optional[_Union[SegmentOptions, _Mapping]] = ..., deadline_ms: _Optional[float] = ..., image_bytes: _Optional[int] = ...) -> None: ...

class UploadAndSegmentRequest(_message.Message):
    __slots__ = ("header", "chunk", "prompt")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    header: UploadAndSegmentHeader
    chunk: bytes
    prompt: Prompt
    def __init__(self, header: _Optional[_Union[UploadAndSegmentHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ..., prompt: _Optional[_Union[Prompt, _Mapping]] = ...) -> None: ...

class CreateSessionHeader(_message.Message):
    __slots__ = ("session_id", "image_bytes")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    IMAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    image_bytes: int
    def __init__(self, session_id: _Optional[str] = ..., image_bytes: _Optional[int] = ...) -> None: ...

class CreateSessionRequest(_message.Message):
    __slots__ = ("header", "chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: CreateSessionHeader
    chunk: bytes
    def __init__(self, header: _Optional[_Union[CreateSessionHeader, _Mapping]] = ..., chunk: _Optional[bytes] = ...) -> None: ...

class InteractHeader(_message.Message):
    __slots__ = ("session_id", "image_id", "options", "deadline_ms")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    image_id: str
    options: SegmentOptions
    deadline_ms: float
    def __init__(self, session_id: _Optional[str] = ..., image_id: _Optional[str] = ..., options: _Optional[_Union[SegmentOptions, _Mapping]] = ..., deadline_ms: _Optional[float] = ...) -> None: ...

class InteractRequest(_message.Message):
    __slots__ = ("header", "prompt")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    PROMPT_FIELD_NUMBER: _ClassVar[int]
    header: InteractHeader
    prompt: Prompt
    def __init__(self, header: _Optional[_Union[InteractHeader, _Mapping]] = ..., prompt: _Optional[_Union[Prompt, _Mapping]] = ...) -> None: ...

class GetSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class DeleteSessionRequest(_message.Message):
    __slots__ = ("session_id",)
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    def __init__(self, session_id: _Optional[str] = ...) -> None: ...

class ListModelsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ImageSize(_message.Message):
    __slots__ = ("width", "height")
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    width: int
    height: int
    def __init__(self, width: _Optional[int] = ..., height: _Optional[int] = ...) -> None: ...

class Rle(_message.Message):
    __slots__ = ("height", "width", "counts")
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    height: int
    width: int
    counts: str
    def __init__(self, height: _Optional[int] = ..., width: _Optional[int] = ..., counts: _Optional[str] = ...) -> None: ...

class Ring(_message.Message):
    __slots__ = ("coordinates",)
    COORDINATES_FIELD_NUMBER: _ClassVar[int]
    coordinates: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, coordinates: _Optional[_Iterable[float]] = ...) -> None: ...

class Polygon(_message.Message):
    __slots__ = ("rings",)
    RINGS_FIELD_NUMBER: _ClassVar[int]
    rings: _containers.RepeatedCompositeFieldContainer[Ring]
    def __init__(self, rings: _Optional[_Iterable[_Union[Ring, _Mapping]]] = ...) -> None: ...

class Uncertainty(_message.Message):
    __slots__ = ("score", "expected_iou", "expected_iou_low", "expected_iou_high", "entropy", "model_gap", "prompt_gap", "task_gap", "heads", "maps", "in_regime", "method", "calibration")
    class HeadsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class MapsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: Float16Array
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[Float16Array, _Mapping]] = ...) -> None: ...
    SCORE_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_IOU_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_IOU_LOW_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_IOU_HIGH_FIELD_NUMBER: _ClassVar[int]
    ENTROPY_FIELD_NUMBER: _ClassVar[int]
    MODEL_GAP_FIELD_NUMBER: _ClassVar[int]
    PROMPT_GAP_FIELD_NUMBER: _ClassVar[int]
    TASK_GAP_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    MAPS_FIELD_NUMBER: _ClassVar[int]
    IN_REGIME_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    score: float
    expected_iou: float
    expected_iou_low: float
    expected_iou_high: float
    entropy: float
    model_gap: float
    prompt_gap: float
    task_gap: float
    heads: _containers.ScalarMap[str, float]
    maps: _containers.MessageMap[str, Float16Array]
    in_regime: bool
    method: str
    calibration: str
    def __init__(self, score: _Optional[float] = ..., expected_iou: _Optional[float] = ..., expected_iou_low: _Optional[float] = ..., expected_iou_high: _Optional[float] = ..., entropy: _Optional[float] = ..., model_gap: _Optional[float] = ..., prompt_gap: _Optional[float] = ..., task_gap: _Optional[float] = ..., heads: _Optional[_Mapping[str, float]] = ..., maps: _Optional[_Mapping[str, Float16Array]] = ..., in_regime: _Optional[bool] = ..., method: _Optional[str] = ..., calibration: _Optional[str] = ...) -> None: ...

class BoundingBox(_message.Message):
    __slots__ = ("x", "y", "width", "height")
    X_FIELD_NUMBER: _ClassVar[int]
    Y_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    x: int
    y: int
    width: int
    height: int
    def __init__(self, x: _Optional[int] = ..., y: _Optional[int] = ..., width: _Optional[int] = ..., height: _Optional[int] = ...) -> None: ...

class Polygons(_message.Message):
    __slots__ = ("polygons",)
    POLYGONS_FIELD_NUMBER: _ClassVar[int]
    polygons: _containers.RepeatedCompositeFieldContainer[Polygon]
    def __init__(self, polygons: _Optional[_Iterable[_Union[Polygon, _Mapping]]] = ...) -> None: ...

class Mask(_message.Message):
    __slots__ = ("rle", "png", "polygons", "low_res_logits", "area", "bbox", "predicted_iou", "stability", "token", "uncertainty")
    RLE_FIELD_NUMBER: _ClassVar[int]
    PNG_FIELD_NUMBER: _ClassVar[int]
    POLYGONS_FIELD_NUMBER: _ClassVar[int]
    LOW_RES_LOGITS_FIELD_NUMBER: _ClassVar[int]
    AREA_FIELD_NUMBER: _ClassVar[int]
    BBOX_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_IOU_FIELD_NUMBER: _ClassVar[int]
    STABILITY_FIELD_NUMBER: _ClassVar[int]
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    UNCERTAINTY_FIELD_NUMBER: _ClassVar[int]
    rle: Rle
    png: bytes
    polygons: Polygons
    low_res_logits: Float16Array
    area: int
    bbox: BoundingBox
    predicted_iou: float
    stability: float
    token: int
    uncertainty: Uncertainty
    def __init__(self, rle: _Optional[_Union[Rle, _Mapping]] = ..., png: _Optional[bytes] = ..., polygons: _Optional[_Union[Polygons, _Mapping]] = ..., low_res_logits: _Optional[_Union[Float16Array, _Mapping]] = ..., area: _Optional[int] = ..., bbox: _Optional[_Union[BoundingBox, _Mapping]] = ..., predicted_iou: _Optional[float] = ..., stability: _Optional[float] = ..., token: _Optional[int] = ..., uncertainty: _Optional[_Union[Uncertainty, _Mapping]] = ...) -> None: ...

class Advice(_message.Message):
    __slots__ = ("action", "point", "label", "reason")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    POINT_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    action: str
    point: Point
    label: int
    reason: str
    def __init__(self, action: _Optional[str] = ..., point: _Optional[_Union[Point, _Mapping]] = ..., label: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...

class Route(_message.Message):
    __slots__ = ("model", "role", "escalated", "reason", "expected_gain", "cost")
    class CostEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    MODEL_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    ESCALATED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_GAIN_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    model: str
    role: str
    escalated: bool
    reason: str
    expected_gain: float
    cost: _containers.ScalarMap[str, float]
    def __init__(self, model: _Optional[str] = ..., role: _Optional[str] = ..., escalated: _Optional[bool] = ..., reason: _Optional[str] = ..., expected_gain: _Optional[float] = ..., cost: _Optional[_Mapping[str, float]] = ...) -> None: ...

class ResultError(_message.Message):
    __slots__ = ("code", "message", "retry_after_ms")
    CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    RETRY_AFTER_MS_FIELD_NUMBER: _ClassVar[int]
    code: str
    message: str
    retry_after_ms: float
    def __init__(self, code: _Optional[str] = ..., message: _Optional[str] = ..., retry_after_ms: _Optional[float] = ...) -> None: ...

class Result(_message.Message):
    __slots__ = ("prompt_id", "masks", "best", "advice", "route", "error", "provisional")
    PROMPT_ID_FIELD_NUMBER: _ClassVar[int]
    MASKS_FIELD_NUMBER: _ClassVar[int]
    BEST_FIELD_NUMBER: _ClassVar[int]
    ADVICE_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    PROVISIONAL_FIELD_NUMBER: _ClassVar[int]
    prompt_id: str
    masks: _containers.RepeatedCompositeFieldContainer[Mask]
    best: int
    advice: Advice
    route: Route
    error: ResultError
    provisional: bool
    def __init__(self, prompt_id: _Optional[str] = ..., masks: _Optional[_Iterable[_Union[Mask, _Mapping]]] = ..., best: _Optional[int] = ..., advice: _Optional[_Union[Advice, _Mapping]] = ..., route: _Optional[_Union[Route, _Mapping]] = ..., error: _Optional[_Union[ResultError, _Mapping]] = ..., provisional: _Optional[bool] = ...) -> None: ...

class Timings(_message.Message):
    __slots__ = ("total", "decode_image", "queue", "encode", "decode")
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    DECODE_IMAGE_FIELD_NUMBER: _ClassVar[int]
    QUEUE_FIELD_NUMBER: _ClassVar[int]
    ENCODE_FIELD_NUMBER: _ClassVar[int]
    DECODE_FIELD_NUMBER: _ClassVar[int]
    total: float
    decode_image: float
    queue: float
    encode: float
    decode: float
    def __init__(self, total: _Optional[float] = ..., decode_image: _Optional[float] = ..., queue: _Optional[float] = ..., encode: _Optional[float] = ..., decode: _Optional[float] = ...) -> None: ...

class SegmentResponse(_message.Message):
    __slots__ = ("image", "session_id", "results", "warnings", "timings_ms")
    IMAGE_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    TIMINGS_MS_FIELD_NUMBER: _ClassVar[int]
    image: ImageSize
    session_id: str
    results: _containers.RepeatedCompositeFieldContainer[Result]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    timings_ms: Timings
    def __init__(self, image: _Optional[_Union[ImageSize, _Mapping]] = ..., session_id: _Optional[str] = ..., results: _Optional[_Iterable[_Union[Result, _Mapping]]] = ..., warnings: _Optional[_Iterable[str]] = ..., timings_ms: _Optional[_Union[Timings, _Mapping]] = ...) -> None: ...

class InteractResponse(_message.Message):
    __slots__ = ("index", "response")
    INDEX_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    index: int
    response: SegmentResponse
    def __init__(self, index: _Optional[int] = ..., response: _Optional[_Union[SegmentResponse, _Mapping]] = ...) -> None: ...

class SessionImage(_message.Message):
    __slots__ = ("image_id", "width", "height", "warnings")
    IMAGE_ID_FIELD_NUMBER: _ClassVar[int]
    WIDTH_FIELD_NUMBER: _ClassVar[int]
    HEIGHT_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    image_id: str
    width: int
    height: int
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, image_id: _Optional[str] = ..., width: _Optional[int] = ..., height: _Optional[int] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class Session(_message.Message):
    __slots__ = ("session_id", "images", "expires_at")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    IMAGES_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    images: _containers.RepeatedCompositeFieldContainer[SessionImage]
    expires_at: float
    def __init__(self, session_id: _Optional[str] = ..., images: _Optional[_Iterable[_Union[SessionImage, _Mapping]]] = ..., expires_at: _Optional[float] = ...) -> None: ...

class ModelInfo(_message.Message):
    __slots__ = ("name", "roles", "device", "dtype", "input_size", "parameters", "cost_ms", "sha256", "licence", "heads", "heads_sha256", "calibration", "calibration_sha256")
    class CostMsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLES_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    INPUT_SIZE_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    COST_MS_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    LICENCE_FIELD_NUMBER: _ClassVar[int]
    HEADS_FIELD_NUMBER: _ClassVar[int]
    HEADS_SHA256_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_FIELD_NUMBER: _ClassVar[int]
    CALIBRATION_SHA256_FIELD_NUMBER: _ClassVar[int]
    name: str
    roles: _containers.RepeatedScalarFieldContainer[str]
    device: str
    dtype: str
    input_size: int
    parameters: int
    cost_ms: _containers.ScalarMap[str, float]
    sha256: str
    licence: str
    heads: str
    heads_sha256: str
    calibration: str
    calibration_sha256: str
    def __init__(self, name: _Optional[str] = ..., roles: _Optional[_Iterable[str]] = ..., device: _Optional[str] = ..., dtype: _Optional[str] = ..., input_size: _Optional[int] = ..., parameters: _Optional[int] = ..., cost_ms: _Optional[_Mapping[str, float]] = ..., sha256: _Optional[str] = ..., licence: _Optional[str] = ..., heads: _Optional[str] = ..., heads_sha256: _Optional[str] = ..., calibration: _Optional[str] = ..., calibration_sha256: _Optional[str] = ...) -> None: ...

class ListModelsResponse(_message.Message):
    __slots__ = ("family", "models", "limits", "version")
    class LimitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    MODELS_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    family: str
    models: _containers.RepeatedCompositeFieldContainer[ModelInfo]
    limits: _containers.ScalarMap[str, float]
    version: str
    def __init__(self, family: _Optional[str] = ..., models: _Optional[_Iterable[_Union[ModelInfo, _Mapping]]] = ..., limits: _Optional[_Mapping[str, float]] = ..., version: _Optional[str] = ...) -> None: ...
