// The interface of the compiled model (pos, edge_index, atom_types -> atomic_energy, forces, virial) is the one that
// nequip writes into the file's metadata; aiida_seireact/programs/_fix_external.py calls the same from Python.

#include "compiled_model.h"

#include <algorithm>
#include <sstream>
#include <sys/utsname.h>
#include <unordered_map>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <caffe2/serialize/inline_container.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>

using torch::inductor::AOTIModelPackageLoader;

namespace seireact {
namespace {

  const char *const AGAIN = "compile the package again on this machine with seireact-compile";
  // `seireact-compile` puts this member beside torch's own, which do not tell the version of torch.
  const char *const CARD_MEMBER = "extra/seireact_card.json";

  using Metadata = std::unordered_map<std::string, std::string>;

  std::string value(const Metadata &metadata, const std::string &key)
  {
    const auto found = metadata.find(key);
    return found == metadata.end() ? "" : found->second;
  }

  std::vector<std::string> words(const std::string &text)
  {
    std::istringstream stream(text);
    std::vector<std::string> found;
    for (std::string word; stream >> word;) found.push_back(word);
    return found;
  }

  std::string first_line(const std::string &text) { return text.substr(0, text.find('\n')); }

  /// The version of torch that compiled the model, empty where the file does not tell.
  std::string compiled_with(const std::string &path)
  {
    caffe2::serialize::PyTorchStreamReader archive(path);
    if (!archive.hasRecord(CARD_MEMBER)) return "";
    const auto [bytes, size] = archive.getRecord(CARD_MEMBER);
    const std::string text(static_cast<const char *>(bytes.get()), size), key = "\"torch_version\": \"";
    const auto start = text.find(key);
    if (start == std::string::npos) return "";
    return text.substr(start + key.size(), text.find('"', start + key.size()) - start - key.size());
  }

  bool runs_on_this_processor(const std::string &instructions)
  {
#if defined(__x86_64__)
    if (instructions == "AVX512") return __builtin_cpu_supports("avx512f");
    if (instructions == "AVX2") return __builtin_cpu_supports("avx2");
#endif
    return true;
  }

  /// Throws ModelError unless the machine code can run here.
  void check(const std::string &path, const Metadata &metadata)
  {
    if (value(metadata, "nequip_aoti_inputs") != "pos edge_index atom_types" ||
        value(metadata, "nequip_aoti_outputs") != "atomic_energy forces virial")
      throw ModelError(path + " was not compiled for the target pair_allegro: " + AGAIN + ".");
    const auto built_by = compiled_with(path);
    if (!built_by.empty() && built_by != SEIREACT_TORCH_VERSION)
      throw ModelError(path + " was compiled with torch " + built_by + ", this pair style was built with torch " +
                       SEIREACT_TORCH_VERSION + ": " + AGAIN + ".");
    utsname here;
    uname(&here);
    const auto machine = value(metadata, "AOTI_MACHINE");
    if (!machine.empty() && machine != here.machine)
      throw ModelError(path + " was compiled for " + machine + ", this is " + here.machine + ": " + AGAIN + ".");
    for (const auto &instructions : words(value(metadata, "AOTI_CPU_ISA")))
      if (!runs_on_this_processor(instructions))
        throw ModelError(path + " was compiled for a processor with " + instructions + ", which this one lacks: " +
                         AGAIN + ".");
    const auto device = value(metadata, "AOTI_DEVICE_KEY");
    if (device != "cpu" && device != "cuda")
      throw ModelError(path + " was compiled for " + device + ", this pair style runs on cpu and cuda: " + AGAIN + ".");
    if (device == "cuda" && at::getNumGPUs() == 0)
      throw ModelError(path + " was compiled for cuda, and torch " + SEIREACT_TORCH_VERSION +
                       " sees no GPU here: ask the scheduler for one (SLURM: --gpus=1) and install a torch built for "
                       "CUDA, or compile the package for cpu with seireact-compile.");
  }

  at::Tensor integers(const std::vector<int64_t> &values, at::Device device)
  {
    return at::tensor(values, at::kLong).to(device);
  }

  std::vector<double> doubles(const at::Tensor &tensor)
  {
    const auto here = tensor.to(at::kCPU, at::kDouble).contiguous();
    return {here.data_ptr<double>(), here.data_ptr<double>() + here.numel()};
  }

}    // namespace

struct CompiledModel::Torch {
  at::Device device;
  std::unique_ptr<AOTIModelPackageLoader> loader;
};

CompiledModel::CompiledModel(const std::string &path, int local_rank, int n_threads)
{
  Metadata metadata;
  try {
    metadata = AOTIModelPackageLoader::load_metadata_from_package(path, "model");
  } catch (const std::exception &error) {
    throw ModelError(path + " can't be read as a compiled model, a .nequip.pt2 (" + first_line(error.what()) +
                     "): copy it again, or make one with seireact-compile.");
  }
  check(path, metadata);
  card.species = words(value(metadata, "type_names"));
  card.r_max_ang = std::stod(value(metadata, "r_max"));
  card.device = value(metadata, "AOTI_DEVICE_KEY");
  card.dtype = value(metadata, "model_dtype");

  at::set_num_threads(n_threads);
  at::Device device(at::kCPU);
  if (card.device == "cuda") device = at::Device(at::kCUDA, local_rank % static_cast<int>(at::getNumGPUs()));
  try {
    torch_ = std::make_unique<Torch>(
        Torch{device, std::make_unique<AOTIModelPackageLoader>(path, "model", false, 1, device.index())});
  } catch (const std::exception &error) {
    throw ModelError(path + " can't be loaded by torch " + SEIREACT_TORCH_VERSION + " (" + first_line(error.what()) +
                     "): " + AGAIN + ".");
  }
}

CompiledModel::~CompiledModel() = default;

Answer CompiledModel::evaluate(const Environment &given) const
{
  std::vector<double> positions(given.positions, given.positions + 3 * given.n_atoms);
  std::vector<int64_t> types = given.types, edges = given.centres, ends = given.neighbours;
  // Code made for any number of pairs is not made for none or one. Two atoms that don't see each other, since the
  // model's cutoff function is zero at their distance, make them two and add nothing.
  if (edges.size() < 2) {
    positions.insert(positions.end(), {0.0, 0.0, 0.0, 2.0 * card.r_max_ang, 0.0, 0.0});
    types.insert(types.end(), {0, 0});
    edges.insert(edges.end(), {given.n_atoms, given.n_atoms + 1});
    ends.insert(ends.end(), {given.n_atoms + 1, given.n_atoms});
  }
  const auto n_edges = static_cast<int64_t>(edges.size());
  edges.insert(edges.end(), ends.begin(), ends.end());

  try {
    c10::InferenceMode no_gradients;
    const auto n_atoms = static_cast<int64_t>(types.size());
    const auto outputs = torch_->loader->run({
        at::tensor(positions, at::kDouble).view({n_atoms, 3}).to(torch_->device),
        integers(edges, torch_->device).view({2, n_edges}),
        integers(types, torch_->device),
    });
    Answer answer{doubles(outputs.at(0)), doubles(outputs.at(1)), {}};
    answer.energies.resize(given.n_atoms);
    answer.forces.resize(3 * given.n_atoms);
    const auto virial = doubles(outputs.at(2));
    std::copy_n(virial.begin(), 9, &answer.virial[0][0]);
    return answer;
  } catch (const std::exception &error) {
    throw ModelError("The model failed on " + std::to_string(given.n_atoms) + " atoms with " +
                     std::to_string(n_edges) + " neighbours (" + first_line(error.what()) +
                     "); out of memory means: more ranks or GPUs, or a smaller cell.");
  }
}

}    // namespace seireact
