"""Bodies: forms of files and fields with their limits, or JSON; the one is refused as the other."""

from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from suresam.errors import InvalidRequest


@dataclass(frozen=True, slots=True)
class Form:
    """A parsed body.

    Attributes:
        images: the files named `image`, in order.
        fields: all other parts by name, as text or, for a file part, its bytes.
    """

    images: tuple[bytes, ...]
    fields: dict[str, str | bytes]

    def only_image(self) -> bytes:
        """The image of a route that takes exactly one.

        Raises:
            InvalidRequest: there are several.
        """
        if len(self.images) > 1:
            raise InvalidRequest(f"{len(self.images)} files named 'image'; this route takes one")
        return self.images[0]


async def read_form(request: Request, *, fields: tuple[str, ...], max_bytes: int) -> Form:
    """Read a multipart body that must hold at least one image.

    Args:
        request: whose body is read.
        fields: names that may stand beside `image`.
        max_bytes: of one part; the body's own limit is kept by the middleware.

    Raises:
        InvalidRequest: not multipart, damaged, without an image, or with unknown parts.
    """
    content_type = request.headers.get("content-type", "")
    if not _is_form(content_type):
        raise InvalidRequest(
            f"the body must be multipart/form-data, not {content_type[:64] or 'untyped'!r}"
        )
    images: list[bytes] = []
    others: dict[str, str | bytes] = {}
    try:
        async with request.form(max_part_size=max_bytes) as form:
            for name, value in form.multi_items():
                if name == "image":
                    if not isinstance(value, UploadFile):
                        raise InvalidRequest(
                            "'image' must be a file (with curl: -F image=@photo.jpg)"
                        )
                    images.append(await value.read())
                elif name not in fields:
                    known = ", ".join(("image", *fields))
                    raise InvalidRequest(f"unknown form field {name[:64]!r} (known: {known})")
                elif name in others:
                    raise InvalidRequest(f"the form field {name!r} stands there twice")
                else:
                    others[name] = await value.read() if isinstance(value, UploadFile) else value
    except HTTPException as error:
        raise InvalidRequest(f"the multipart body is damaged: {error.detail}") from None
    if not images:
        raise InvalidRequest("the form file 'image' is missing")
    return Form(tuple(images), others)


async def read_json_body(request: Request) -> bytes:
    """Read a body that must be JSON, whatever type it is said to have but a form's.

    Raises:
        InvalidRequest: it is a form.
    """
    if _is_form(request.headers.get("content-type", "")):
        raise InvalidRequest(
            "the body must be the request's JSON (application/json), not a form: the image is the "
            "session's"
        )
    return await request.body()


def _is_form(content_type: str) -> bool:
    return content_type.lower().startswith("multipart/form-data")
