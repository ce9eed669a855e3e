// An Allegro model compiled by nequip for the target pair_allegro, called through torch. Knows nothing of LAMMPS:
// torch and LAMMPS both bring a library "fmt", so their headers never meet in one file.

#ifndef SEIREACT_COMPILED_MODEL_H
#define SEIREACT_COMPILED_MODEL_H

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace seireact {

/// Why a model can't be used, as a sentence for the user.
struct ModelError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What the file says of itself.
struct ModelCard {
  std::vector<std::string> species;    // in the order of the model's types
  double r_max_ang = 0.0;
  std::string device;    // cpu or cuda
  std::string dtype;     // of the network; positions, energies and forces are handed over as doubles
};

/// Atoms of one rank: its own come first, then the ghosts.
struct Environment {
  int64_t n_atoms = 0;
  const double *positions = nullptr;    // (n_atoms, 3), Å
  std::vector<int64_t> types;           // of the model, (n_atoms)
  std::vector<int64_t> centres;         // own atom of each pair within the cutoff
  std::vector<int64_t> neighbours;      // its neighbour, own or ghost
};

/// The model's answer for an Environment.
struct Answer {
  std::vector<double> energies;    // (n_atoms), eV; only those of own atoms mean something
  std::vector<double> forces;      // (n_atoms, 3), eV/Å; those on ghosts belong to the atoms they are images of
  double virial[3][3];             // eV, of the pairs given, with LAMMPS's sign
};

class CompiledModel {
 public:
  /// Loads the machine code; throws ModelError for a file that can't run here.
  /// local_rank: which of the MPI ranks on this computer this is; it chooses the GPU.
  CompiledModel(const std::string &path, int local_rank, int n_threads);
  ~CompiledModel();

  /// Throws ModelError when torch does, out of memory for one.
  Answer evaluate(const Environment &) const;

  ModelCard card;

 private:
  struct Torch;
  std::unique_ptr<Torch> torch_;
};

}    // namespace seireact

#endif
