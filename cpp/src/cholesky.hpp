// Cholesky factors of positive semi-definite matrices.
#pragma once

#include "matrix.hpp"

namespace headrace {

// The lower factor of a symmetric matrix, of which the lower triangle alone is read, with zeros
// above the diagonal; a pivot at rounding level gives a zero column, so that singular matrices have
// a factor as well. Outer products without pivoting (Golub and Van Loan, Matrix Computations, 2013,
// section 4.2). Throws std::invalid_argument if the matrix is not finite, or not semi-definite.
Matrix lower_cholesky(const Matrix& covariance);

}  // namespace headrace
