// pair_style allegro: energies, forces and virial of an Allegro model, on any number of MPI ranks.

#ifndef SEIREACT_PAIR_ALLEGRO_H
#define SEIREACT_PAIR_ALLEGRO_H

#include <memory>
#include <string>
#include <vector>

#include "pair.h"

#include "compiled_model.h"

namespace LAMMPS_NS {

class PairAllegro : public Pair {
 public:
  explicit PairAllegro(LAMMPS *);
  ~PairAllegro() override;

  void settings(int, char **) override;    // pair_style allegro
  void coeff(int, char **) override;       // pair_coeff * * model.nequip.pt2 Li P S Cl
  void init_style() override;
  double init_one(int, int) override;
  void compute(int, int) override;

 private:
  void allocate();
  void map_types(int, char **);
  void look_around();
  int rank_on_this_computer() const;
  void stop_if_any(const std::string &);

  std::unique_ptr<seireact::CompiledModel> model;
  std::vector<int64_t> model_type;    // of each LAMMPS type, which counts from 1
  seireact::Environment around;       // kept between steps for its memory
};

}    // namespace LAMMPS_NS

#endif
