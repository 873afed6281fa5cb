/* Groups of columns that do not depend on the number of threads, because rounding can
 * differ for the last columns of a group, which do not fill a vector.
 */

#define MAX_COLUMNS 32

/* A number for each column. It is a sum over many samples, so it is double. */
typedef double Columns[MAX_COLUMNS];

static ptrdiff_t n_column_groups(ptrdiff_t n_columns)
{
    return (n_columns + MAX_COLUMNS - 1) / MAX_COLUMNS;
}

/* Number of columns in group `i`, of which the first is i * MAX_COLUMNS. */
static ptrdiff_t width(ptrdiff_t n_columns, ptrdiff_t i)
{
    const ptrdiff_t rest = n_columns - i * MAX_COLUMNS;
    return rest < MAX_COLUMNS ? rest : MAX_COLUMNS;
}
