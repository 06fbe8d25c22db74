"""The emulated GPU refuses what CUDA refuses, allows what CUDA allows, and computes what the CPU computes."""

from __future__ import annotations

import copy
import io

import pytest
import torch
from emulated_device import GPU, EmulatedTensor, emulated_gpu
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F


@pytest.fixture
def gpu():
    with emulated_gpu():
        yield


def on(*values: object) -> Tensor:
    return torch.tensor(*values).to("cuda:0")


SQUARE = [[1.0, 2.0], [3.0, 4.0]]
# a and b are 2 x 2, i holds indices and m is a mask: capitals on the GPU, small letters on the CPU
MIXES = {
    "a sum": "A + b", "the other way": "b + A", "a product": "A @ b", "in place": "A.add_(b)", "in place on the CPU": "b.add_(A)",
    "a comparison": "A == b", "side by side": "torch.cat([A, b])", "on top": "torch.stack([b, A])", "a choice": "torch.where(M, A, b)",
    "the mask of a choice": "torch.where(m, A, A)", "a mask": "A.masked_fill(m, 0.0)", "values to masked places": "A.masked_scatter(M, b)",
    "a gather": "A.gather(1, i)", "a scatter": "A.scatter(1, I, b)", "a sum into rows": "A.index_add(0, I[0], b)",
    "rows by number": "A.index_select(0, i[0])", "rows of an embedding": "F.embedding(i, A)", "a linear layer": "F.linear(A, b)",
    "a loss": "F.cross_entropy(A, i[0])", "places of values": "torch.searchsorted(A, b)", "membership": "torch.isin(I, i)",
    "one target for all": "torch.equal(A, b)", "the larger": "torch.maximum(A, b)", "written out": "torch.add(A, A, out=b)",
    "the CPU by indices of the GPU": "a[I[0]]", "the CPU by a mask of the GPU": "a[M]", "many values by index": "A.index_put((I[0],), b)",
    "assigned values": "A.__setitem__(I[0], b)", "masked values": "torch.masked_select(A, m)",
    "a batch of products": "torch.bmm(A[None], b[None])",
    "three at once": "torch.addcmul(A, A, b)", "a norm": "F.layer_norm(A, (2,), b[0])", "bounds": "torch.clamp(A, min=b)",
    "a share of each": "torch.lerp(A, A, b)",
}  # fmt: skip
OF_VALUES = ("one target for all", "masked values")  # the result depends on values, of which a fake tensor has none
NUMBERS = {  # without dimensions, which CUDA takes from the CPU only where it computes one place at a time
    "a product with a number": "torch.mul(A, b[0]) @ torch.tensor(1.0)", "a number side by side": "torch.cat([A[0, :1], torch.ones(())])",
    "a number on the GPU to many on the CPU": "b + A[0, 0]", "in place into a number": "torch.tensor(1.0).add_(A[0, 0])",
    "a number to gather by": "A[0].gather(0, torch.tensor(0))", "a number as the mask of a choice": "torch.where(torch.tensor(True), A, A)",
}  # fmt: skip
OTHERS = {
    "numpy": ("A.numpy()", TypeError, "can't convert cuda:0"),
    "numpy by itself": ("numpy.asarray(A)", TypeError, "can't convert cuda:0"),
    "drawing by a generator of the CPU": ("torch.rand(2, device='cuda', generator=torch.Generator())", RuntimeError, "'cuda' device type"),
    "drawing places by one": ("torch.multinomial(A, 1, generator=torch.Generator())", RuntimeError, "'cuda' device type"),
    "drawing by a generator of the GPU": ("torch.rand(2, generator=torch.Generator('cuda'))", RuntimeError, "'cpu' device type"),
    "pinned memory": ("A.pin_memory()", RuntimeError, "cannot pin"),
}
ALLOWED = {
    "a number of Python": "A + 1", "a number of the CPU": "A * torch.tensor(2.0)", "the other way": "torch.tensor(2.0) - A",
    "rows by a list": "A[[1, 0]]", "rows by indices of the CPU": "A[i[0]]", "places by a mask of the CPU": "A[m]",
    "a copy": "A.copy_(b)", "a copy back": "b.copy_(A)", "a row assigned from the CPU": "A.__setitem__(0, b[0])",
    "a number assigned": "A.__setitem__(I[0], torch.tensor(5.0))", "a number under a mask": "A.masked_fill(M, torch.tensor(9.0))",
    "a number as a choice": "torch.where(M, A, torch.tensor(9.0))", "filled with a number": "A.fill_(torch.tensor(3.0))",
    "a number as a bound": "torch.clamp(A, min=torch.tensor(2.0))", "to the CPU and on": "A.cpu() + b",
    "there and back": "(A + b.cuda()).to('cpu')",
    "the type of another": "b.type_as(A) + A", "the place of another": "torch.arange(2, device=A.device) + I[0]",
    "as it is": "A.to('cuda')",
    "new ones like it": "A.new_ones(2) + torch.zeros_like(A)",
    "places drawn": "torch.multinomial(A, 2, generator=torch.Generator('cuda')).shape",
    "a range made there": "torch.linspace(0, 1, 2, device='cuda') + A", "written out there": "torch.add(A, A, out=A.clone())",
    "a list": "A.tolist()", "one number": "A.sum().item()", "transposed in place": "A.clone().t_().unsqueeze_(0)",
    "a pair": "A.topk(1).values",
    "a tensor of its numbers": "torch.tensor([A[0, 0], 2.0])", "attention": "F.scaled_dot_product_attention(A[None], A[None], A[None])",
}  # fmt: skip


def names(place: str) -> dict[str, object]:
    import numpy

    square, index, mask = torch.tensor(SQUARE), torch.tensor([[1, 0], [0, 1]]), torch.tensor([[True, False], [True, True]])
    cpu = {"a": square.clone(), "b": square.clone(), "i": index, "m": mask}
    return {"torch": torch, "F": F, "numpy": numpy, **cpu, **{name.upper(): value.to(place) for name, value in cpu.items()}}


@pytest.mark.parametrize("what", [*MIXES, *NUMBERS])
def test_operators_refuse_tensors_of_two_devices(gpu, what):
    code = (MIXES | NUMBERS)[what]
    with pytest.raises(RuntimeError, match=r"same device|indices should be either on cpu"):
        eval(code, names("cuda"))


@pytest.mark.parametrize("what", [what for what in MIXES if what not in OF_VALUES])
def test_what_is_refused_runs_on_one_device_and_torch_itself_refuses_it_for_two(what):
    eval(MIXES[what], names("cpu"))
    with FakeTensorMode(), pytest.raises(Exception, match="device"):
        eval(MIXES[what], names("cuda:0"))


@pytest.mark.parametrize("what", OTHERS)
def test_what_a_tensor_on_a_gpu_cannot_do(gpu, what):
    code, kind, match = OTHERS[what]
    with pytest.raises(kind, match=match):
        eval(code, names("cuda"))


@pytest.mark.parametrize("what", ALLOWED)
def test_what_cuda_allows_gives_what_the_cpu_gives(gpu, what):
    found = eval(ALLOWED[what], names("cuda"))
    code = ALLOWED[what].replace("'cuda'", "'cpu'").replace(".cuda()", "")
    expected = eval(code, names("cpu"))
    if isinstance(expected, Tensor):
        assert found.shape == expected.shape and found.stride() == expected.stride()
        found, expected = found.tolist(), expected.tolist()
    assert found == expected


def test_a_result_is_where_its_arguments_are(gpu):
    there, b = torch.tensor(SQUARE, device="cuda"), torch.tensor(SQUARE)
    for found in (
        there,
        there + 1,
        there[0],
        there.argmax(),
        there > 1,
        *there.max(0),
        *there.unbind(),
        there.detach(),
        there.data,
        torch.empty_like(there),
        there.bfloat16(),
    ):
        assert found.device == GPU and found.is_cuda and isinstance(found, EmulatedTensor)
    for here in (
        b,
        b.to("cpu"),
        there.cpu(),
        there.to("cpu"),
        there.to(b),
        torch.tensor(there.tolist()),
        torch.zeros_like(there, device="cpu"),
    ):
        assert here.device.type == "cpu" and not isinstance(here, EmulatedTensor)


@pytest.mark.parametrize("inference", [False, True])
def test_views_share_memory_and_writing_through_them_is_seen(gpu, inference):
    weights = nn.Linear(2, 2).to("cuda").weight
    with torch.inference_mode(inference):
        there = torch.zeros(2, 3, device="cuda")
        there[0, 1:] = 5.0
        there.t()[2].add_(1.0)
        assert there.tolist() == [[0.0, 5.0, 6.0], [0.0, 0.0, 1.0]]
        assert weights.detach().view(4).shape == (4,) and weights.to("cpu").device.type == "cpu"


def trained(place: str) -> tuple[nn.Module, list[float]]:
    torch.manual_seed(0)
    tied = nn.Linear(3, 4, bias=False)
    model = nn.Sequential(nn.Embedding(4, 3), nn.Linear(3, 3), nn.LayerNorm(3), tied)
    model[0].weight = tied.weight
    model.to(place)
    assert model[0].weight is tied.weight is model[3].weight  # moved, and still one
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    losses = []
    for _ in range(3):
        ids = torch.tensor([[0, 1], [2, 3]], device=place)
        with torch.autocast(place, torch.bfloat16):
            scores = model(ids)
        assert scores.dtype == torch.bfloat16
        loss = F.cross_entropy(scores.float().flatten(0, 1), ids.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return model, losses


def test_a_model_moved_to_the_device_learns_what_it_learns_on_the_cpu(gpu):
    here, there = trained("cpu"), trained("cuda")
    assert there[1] == pytest.approx(here[1], rel=1e-2) and here[1][2] < here[1][0]  # the CPU's kernels of bfloat16 round at other places
    assert all(parameter.device == GPU and isinstance(parameter, nn.Parameter) for parameter in there[0].parameters())
    twin = copy.deepcopy(there[0])
    assert twin[0].weight is twin[3].weight and twin[0].weight is not there[0][0].weight
    written = io.BytesIO()
    torch.save(there[0].state_dict(), written)
    for place in ("cuda", "cpu"):
        written.seek(0)
        state = torch.load(written, map_location=place, weights_only=True)
        assert {value.device.type for value in state.values()} == {place}
        twin.load_state_dict(state)
        assert torch.equal(twin[0].weight, there[0][0].weight)
    assert there[0].to("cpu")(torch.tensor([1])).device.type == "cpu"


def test_outside_it_there_is_no_gpu():
    with emulated_gpu():
        assert torch.cuda.is_available() and torch.cuda.device_count() == 1
    assert not torch.cuda.is_available() and torch.Generator is torch._C.Generator
    with pytest.raises((RuntimeError, AssertionError)):
        torch.zeros(1, device="cuda")
