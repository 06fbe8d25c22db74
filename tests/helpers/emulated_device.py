"""A GPU that is none: tensors that say ``cuda:0``, compute on the CPU, and refuse what CUDA refuses.

A machine without a GPU finds no tensor that was made on the wrong device, since there all are on the CPU. Inside ``emulated_gpu()`` torch
seems to have one GPU. A tensor on it is an ``EmulatedTensor``, which holds a tensor of the CPU. Every operator checks where its tensors
are, computes on what they hold, and puts the result back on the device. Nothing is faster, and no kernel of CUDA runs.

What stands for CUDA inside torch is MAIA, a kind of device that torch knows and nobody here has: torch's engine of gradients asks a real
CUDA library for the stream of a CUDA tensor, and none for that of MAIA. Python code sees ``cuda:0``.

What it does not emulate: streams and asynchronous copies, memory, several GPUs, kernels that exist on one device only, `torch.compile`.
"""

from __future__ import annotations

import copy
import ctypes
import functools
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
import torch._dynamo  # an optimizer imports it, and it does not like two functions of torch.cuda to be one
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._mode_utils import no_dispatch
from torch.utils._pytree import tree_map

GPU, STAND_IN = torch.device("cuda:0"), torch.device("maia:0")
ELSEWHERE = "Expected all tensors to be on the same device, but found at least two devices, {} and {}! ({})"
aten = torch.ops.aten
CROSSING = {aten.copy_, aten.copy, aten._to_copy, aten._copy_from, aten._foreach_copy_}  # what takes values from one device to another
INDEXING = {aten.index, aten.index_put, aten.index_put_, aten._index_put_impl_, aten._unsafe_index, aten._unsafe_index_put}
# beside what is pointwise, operators that take a number from the CPU as a tensor without dimensions; of these only that argument
NUMBERS = {aten.masked_fill: 2, aten.masked_fill_: 2, aten.fill_: 1, aten.fill: 1, aten.index_fill: 3, aten.index_fill_: 3}
STRICT = {aten.nextafter}  # pointwise, and yet takes no number from the CPU
# what torch would make empty and fill afterwards, and so give its size too late
MAKERS = [getattr(packet, name) for packet in (aten.arange, aten.linspace, aten.eye, aten.randperm) for name in packet.overloads()
          if name in ("default", "start", "start_step", "m", "generator")]  # fmt: skip
_chance = torch.Generator()  # the device's own: a seed of the CPU's does not say what a GPU draws


class EmulatedTensor(Tensor):
    """A tensor on the emulated GPU.

    Attributes:
        held: the values, on the CPU.
    """

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> EmulatedTensor:
        with torch.inference_mode(held.is_inference()):  # in inference mode, a view of what was made outside it is none of its own
            made: EmulatedTensor = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
                cls, held.shape, strides=held.stride(), storage_offset=held.storage_offset(), dtype=held.dtype, device=STAND_IN
            )
        made.held = held
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _compute(func, args, kwargs or {})

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return GPU

    @property
    def is_cuda(self) -> bool:  # type: ignore[override]
        return True

    @property
    def data(self) -> Tensor:  # type: ignore[override]
        return self.detach()

    @data.setter
    def data(self, other: Tensor) -> None:
        if not isinstance(other, EmulatedTensor):  # CUDA takes it, and then a parameter has left its device
            raise RuntimeError("the emulated device cannot give a tensor the data of one of the CPU")
        self.held = other.held
        _follow(self)

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"{self.held!r} on {GPU}"

    def __deepcopy__(self, memo: dict[int, Any]) -> EmulatedTensor:
        if id(self) in memo:
            return memo[id(self)]  # type: ignore[no-any-return]
        made = EmulatedTensor(self.held.detach().clone()).requires_grad_(self.requires_grad)
        made.__dict__.update({name: copy.deepcopy(value, memo) for name, value in self.__dict__.items() if name != "held"})
        memo[id(self)] = made
        return made

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise RuntimeError("the emulated device writes its tensors by torch.save only")

    def numpy(self, *, force: bool = False) -> Any:
        if not force:
            raise TypeError(f"can't convert {GPU} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to host memory first.")
        return self.held.detach().numpy()

    def __array__(self, dtype: Any = None) -> Any:
        return self.numpy()

    def tolist(self) -> Any:
        return self.held.tolist()

    def untyped_storage(self) -> torch.UntypedStorage:
        """Of the values held: who asks wants to know which tensors share memory."""
        return self.held.untyped_storage()

    def data_ptr(self) -> int:
        return self.held.data_ptr()

    def pin_memory(self, device: Any = None) -> Any:
        raise RuntimeError("cannot pin 'torch.cuda.FloatTensor' only dense CPU tensors can be pinned")


class EmulatedGenerator(torch._C.Generator):
    """A generator of either device; one of the GPU draws on the GPU only."""

    where: torch.device

    def __new__(cls, device: Any = "cpu") -> EmulatedGenerator:
        made = super().__new__(cls)
        made.where = GPU if torch.device(device).type == "cuda" else torch.device("cpu")
        return made

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return self.where


def _holds(value: Any) -> bool:
    return isinstance(value, EmulatedTensor)


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, (list, tuple)):
        for value in values:
            yield from _tensors(value)


def _check(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether the result is on the device, from where the arguments are.

    Raises:
        RuntimeError: on two devices, where CUDA would not have it.
    """
    packet = func.overloadpacket
    everything = [*_tensors(args), *_tensors(tuple(kwargs.values()))]
    n = sum(map(_holds, everything))
    if n == 0:
        return False
    if packet in CROSSING:
        return _holds(next(_tensors(args)))
    if n == len(everything):
        return True
    clash = RuntimeError(ELSEWHERE.format("cuda:0", "cpu", func))
    if packet in INDEXING:
        if not _holds(args[0]):
            if any(_holds(index) for index in args[1] if index is not None):
                raise RuntimeError("indices should be either on cpu or on the same device as the indexed tensor (cpu)")
            raise clash
        if len(args) > 2 and not _holds(args[2]) and args[2].dim() > 0:
            raise clash
        return True
    strangers = [value for value in everything if not _holds(value)]
    if any(value.dim() > 0 for value in strangers):
        raise clash
    if packet in NUMBERS:
        if not _holds(args[0]) or any(value is not args[NUMBERS[packet]] for value in strangers):
            raise clash
        return True
    if packet is aten.where and not _holds(args[0]):
        raise clash
    if packet in STRICT or not (
        torch.Tag.pointwise in func.tags or packet is aten.where or packet._qualified_op_name.startswith("aten::_foreach_")
    ):
        raise clash
    if any(argument.alias_info is not None and argument.alias_info.is_write for argument in func._schema.arguments) and (
        not _holds(args[0]) or ("out" in kwargs and not _holds(kwargs["out"]))
    ):
        raise clash
    return True


def _compute(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    if _composite(func):  # in inference mode nothing has taken it apart yet
        return func.decompose(*args, **kwargs)
    on_gpu = _check(func, args, kwargs)
    owners: dict[int, EmulatedTensor] = {}

    def values(given: Any) -> Any:
        if isinstance(given, EmulatedTensor):
            owners[id(given.held)] = given
            return given.held
        return given

    inner, named = tree_map(values, (args, kwargs))
    if (device := named.get("device")) is not None:
        on_gpu, named["device"] = torch.device(device).type != "cpu", torch.device("cpu")
    if on_gpu and "generator" in _names(func) and named.get("generator") is None:
        named["generator"] = _chance
    result = func(*inner, **named)
    for owner in owners.values():
        if owner.shape != owner.held.shape or owner.stride() != owner.held.stride():  # it was transposed or resized in place
            _follow(owner)
    if not isinstance(result, (Tensor, list, tuple)):
        return result

    def outer(found: Any) -> Any:
        if not isinstance(found, Tensor):
            return found
        if id(found) in owners:
            return owners[id(found)]
        return EmulatedTensor(found) if on_gpu else found

    return tree_map(outer, result)


@functools.cache
def _names(func: Any) -> frozenset[str]:
    return frozenset(argument.name for argument in func._schema.arguments)


@functools.cache
def _composite(func: Any) -> bool:
    return torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd")


def _follow(owner: EmulatedTensor) -> None:
    """Give a tensor the shape of what it holds."""
    with no_dispatch():
        before = torch._C._meta_in_tls_dispatch_include()
        torch._C._set_meta_in_tls_dispatch_include(True)
        try:
            aten.as_strided_.default(owner, owner.held.shape, owner.held.stride(), owner.held.storage_offset())
        finally:
            torch._C._set_meta_in_tls_dispatch_include(before)


def _place(value: Any) -> Any:
    """A device as torch's C++ is to see it."""
    if isinstance(value, torch.device):
        return STAND_IN if value.type == "cuda" else value
    if isinstance(value, str) and (value == "cuda" or value.startswith("cuda:")):
        return STAND_IN
    return value


class _Naming(TorchFunctionMode):
    """Calls the device by the name that torch's C++ is to see, and looks after generators."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        generator = kwargs.get("generator")
        if func is Tensor.cuda:
            func, args, kwargs = Tensor.to, (args[0], STAND_IN), {}
        if func is torch.tensor and not isinstance(args[0], Tensor):  # it reads numbers, below what is seen here
            args = (tree_map(_to_cpu, args[0]), *args[1:])
        if func not in _NO_PLACES:
            args, kwargs = tuple(map(_place, args)), {name: _place(value) for name, value in kwargs.items()}
        if generator is None:
            generator = next((value for value in args if isinstance(value, torch._C.Generator)), None)
        if generator is None:
            return func(*args, **kwargs)
        device = kwargs.get("device")
        on_gpu = _holds(next(_tensors(args), None)) if device is None else torch.device(device).type != "cpu"
        kind = "cuda" if on_gpu else "cpu"
        if generator.device.type != kind:
            raise RuntimeError(f"Expected a '{kind}' device type for generator but found '{generator.device.type}'")
        return func(*args, **kwargs)


_NO_PLACES: set[Any] = {torch.device}


def _to_cpu(value: Any) -> Any:
    if isinstance(value, EmulatedTensor):
        return value.held.detach().clone()
    return value


def _guard() -> None:
    """Tell torch's engine of gradients that there is nothing to do when it turns to this kind of device: what it does for ``meta``.

    Raises:
        pytest.skip: where the table of such guards is not to be found.
    """
    try:
        names = {"linux": "libc10.so", "darwin": "libc10.dylib"}
        c10 = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / names[sys.platform]))
        table = (ctypes.c_void_p * 22).in_dll(c10, "_ZN3c104impl26device_guard_impl_registryE")
    except (KeyError, OSError, ValueError) as error:
        pytest.skip(f"no device can be emulated with this build of torch: {error}")
    cpu, maia, meta = 0, 8, 14
    if not table[cpu] or not table[meta]:
        pytest.skip("no device can be emulated with this build of torch: its table of guards has another order")
    table[maia] = table[meta]


def _patches() -> Iterator[tuple[Any, str, Any]]:
    """What a GPU changes of torch's Python: object, name, value."""
    cuda, amp = torch.cuda, torch.amp.autocast_mode
    nothing: Callable[..., None] = lambda *_, **__: None  # noqa: E731
    for name, value in {
        "is_available": lambda: True, "device_count": lambda: 1, "current_device": lambda: 0, "_lazy_init": nothing, "init": nothing,
        "is_initialized": lambda: True, "synchronize": nothing, "empty_cache": nothing, "set_device": nothing,
        "get_device_name": lambda *_: "Emulated GPU", "get_device_capability": lambda *_: (8, 0), "memory_allocated": lambda *_: 0,
        "max_memory_allocated": lambda *_: 0, "reset_peak_memory_stats": nothing, "memory_reserved": lambda *_: 0,
        "is_bf16_supported": lambda *_, **__: True, "manual_seed": _chance.manual_seed, "manual_seed_all": _chance.manual_seed,
        "get_rng_state": lambda *_: _chance.get_state(), "set_rng_state": lambda state, *_: _chance.set_state(state),
        "get_rng_state_all": lambda: [_chance.get_state()], "set_rng_state_all": lambda states: _chance.set_state(states[0]),
    }.items():  # fmt: skip
        yield cuda, name, value
    yield torch, "Generator", EmulatedGenerator

    def seeded(seed: Any, *, real: Any = torch.manual_seed) -> Any:
        _chance.manual_seed(int(seed))
        return real(seed)

    yield torch, "manual_seed", seeded
    yield torch.random, "manual_seed", seeded

    def started(self: Any, device_type: str, *rest: Any, real: Any = amp.autocast.__init__, **named: Any) -> None:
        real(self, "maia" if device_type == "cuda" else device_type, *rest, **named)

    yield amp.autocast, "__init__", started

    def enabled(device_type: str | None = None, *, real: Any = torch.is_autocast_enabled) -> bool:
        return real("maia" if device_type in (None, "cuda") else device_type)  # type: ignore[no-any-return]

    yield torch, "is_autocast_enabled", enabled

    def save(obj: Any, f: Any, *rest: Any, real: Any = torch.save, **named: Any) -> None:
        real(tree_map(_to_cpu, obj), f, *rest, **named)

    def load(f: Any, map_location: Any = None, *rest: Any, real: Any = torch.load, **named: Any) -> Any:
        kind = "cpu" if map_location is None else torch.device(map_location).type
        found = real(f, "cpu", *rest, **named)
        return tree_map(lambda value: value.to(GPU) if isinstance(value, Tensor) else value, found) if kind == "cuda" else found

    yield torch, "save", save
    yield torch, "load", load


@contextmanager
def emulated_gpu() -> Iterator[None]:
    """Inside, torch has a GPU, ``cuda:0``. Skips the test where there is a real one, or where this build of torch does not allow it."""
    if torch.cuda.is_available() or torch.version.cuda is not None:
        pytest.skip("this torch is built for a real GPU; a device is emulated on a build for CPUs")
    _guard()
    library = torch.library.Library("_", "IMPL")
    library.fallback(lambda func, *args, **kwargs: _compute(func, args, kwargs), "MAIA")
    makers = torch.library.Library("aten", "IMPL", "MAIA")
    for func in MAKERS:
        makers.impl(func, lambda *args, func=func, **kwargs: _compute(func, args, kwargs))
    lifts = torch._C._only_lift_cpu_tensors()  # torch.tensor makes a tensor on the CPU, and moves it by an operator that is seen here
    torch._C._set_only_lift_cpu_tensors(True)
    swaps = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)  # a module moved to a device keeps its parameters, and which are tied
    _chance.manual_seed(0)
    try:
        with pytest.MonkeyPatch.context() as patch, torch.autograd.set_multithreading_enabled(False), _Naming():
            for thing, name, value in _patches():
                patch.setattr(thing, name, value)
            yield
    finally:
        torch.__future__.set_swap_module_params_on_conversion(swaps)
        torch._C._set_only_lift_cpu_tensors(lifts)
        library._destroy()
        makers._destroy()
