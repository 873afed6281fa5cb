/* Columns in groups that are the same for any number of threads: the compiler may treat
 * those at the end of a group, which fill no vector, differently from the others.
 */

#define MAX_COLUMNS 32

/* A number for each column, in double: it sums up many samples. */
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
