"""What went wrong, in one sentence, and how to go on."""

from __future__ import annotations

import errno
import re

AGAIN = "The same command goes on where it stopped."
NO_SPACE = f"The disk is full ({{}}). Make room, or set workspace to another disk. {AGAIN}"
NO_GPU_MEMORY = (
    "The GPU ran out of memory ({}). Lower the batch size of the step (targets.batch_size, "
    f"training.*.batch_size or diffusion.batch_size), or free the card (nvidia-smi). {AGAIN}"
)
FULL_CARD = (
    "CUDA out of memory",
    "CUDA error: out of memory",  # already the driver's own part does not fit
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
)
"""How torch, the driver and NVIDIA's libraries say that a card has no memory left."""
NO_MEMORY = (
    "The step was killed, as the system does when memory runs out. Raise resources.mem_mb so that "
    f"fewer steps run side by side. {AGAIN}"
)


def explain(kind: str, message: str) -> str:
    """One sentence for an error of some kind (its class) with some message."""
    message = re.sub(r"\s+", " ", message).strip()
    if kind == "OutOfMemoryError" or any(words in message for words in FULL_CARD):
        return NO_GPU_MEMORY.format(message[:120])
    if kind == "OSError" and (f"[Errno {errno.ENOSPC}]" in message or "No space left" in message):
        return NO_SPACE.format(message[:200])
    if kind == "MemoryError" or "Kernel died" in message or kind == "DeadKernelError":
        return NO_MEMORY
    return f"{kind}: {message}"


def explain_code(code: int) -> str:
    """One sentence for the exit code of a process that said nothing itself."""
    return NO_MEMORY if code in {-9, 137} else f"Its process ended with code {code}."
