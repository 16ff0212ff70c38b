"""Running notebooks: what there is to do, attempts in processes of their own, their results."""
